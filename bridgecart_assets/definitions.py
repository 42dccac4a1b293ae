"""The whole platform on one page."""

import atexit
import gc
from collections.abc import Mapping
from types import MappingProxyType

import dagster as dg

from bridgecart_assets.orchestration.announcements import segment_changes
from bridgecart_assets.orchestration.assets.features import customer_features, customer_snapshots
from bridgecart_assets.orchestration.assets.kpis import kpis, segment_metrics_history
from bridgecart_assets.orchestration.assets.raw import kafka_orders, raw_batch
from bridgecart_assets.orchestration.assets.report import segments_report
from bridgecart_assets.orchestration.assets.segments import (
    audiences,
    customer_segments,
    purchase_model,
    segment_drift,
    segment_membership,
    segment_model,
)
from bridgecart_assets.orchestration.assets.silver import customers, silver_batch
from bridgecart_assets.orchestration.checks import build_checks
from bridgecart_assets.orchestration.io_manager import WarehouseIOManager
from bridgecart_assets.orchestration.jobs import JOBS
from bridgecart_assets.orchestration.monitoring.sensor import alerts_sensor
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.sensors import orders_sensor, segment_changes_sensor
from bridgecart_assets.orchestration.tidying import tidy_schedule
from bridgecart_assets.processes.memory import seek_garbage_rarely

NO_RESOURCES: Mapping[str, object] = MappingProxyType({})


def build_defs(*, resources: Mapping[str, object] = NO_RESOURCES) -> dg.Definitions:
    """Fresh definitions; `resources` replaces the defaults `platform` and `io_manager`, for tests."""
    platform = Platform.configure_at_launch()
    return dg.Definitions(
        assets=[
            kafka_orders,
            raw_batch,
            silver_batch,
            customers,
            customer_features,
            purchase_model,
            segment_model,
            customer_segments,
            audiences,
            segment_drift,
            customer_snapshots,
            segment_membership,
            kpis,
            segment_metrics_history,
            segments_report,
            segment_changes,
        ],
        asset_checks=build_checks(),
        jobs=list(JOBS),
        schedules=[tidy_schedule],
        sensors=[orders_sensor, segment_changes_sensor, alerts_sensor],
        resources={"platform": platform, "io_manager": WarehouseIOManager(platform=platform), **resources},
        executor=dg.in_process_executor,
    )


defs = build_defs()
# What was imported stays: a run need not look through it for garbage, which takes longer than all of its own.
gc.freeze()
seek_garbage_rarely()
# Else it is in the way of modules that say at the end what was not given back.
atexit.register(gc.unfreeze)
