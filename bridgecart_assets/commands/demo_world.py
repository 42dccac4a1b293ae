"""The demo: a broker, a world of orders, the whole pipeline, and the proof that nothing was lost."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.commands.generate_orders import send_history
from bridgecart_assets.commands.own_broker import own_broker
from bridgecart_assets.commands.run_pipeline import Summary, run_holding_lock
from bridgecart_assets.orchestration.instance import prepare_home, remove_home
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.processes.run_lock import run_lock, serve_lock
from bridgecart_assets.sources.kafka.embedded import CLUSTER_ID
from bridgecart_assets.synthetic import Manifest, WorldConfig, simulate, write_truth
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import cluster_ids
from bridgecart_assets.warehouse.storage.forgotten_list import ForgottenList, remove_list


class DemoWouldOverwrite(BridgeCartError):
    """The data directory holds orders of a real broker."""


class DemoMismatch(BridgeCartError):
    """The pipeline's figures are not those of the events."""


@dataclass(frozen=True)
class DemoOutcome:
    """Manifest of the orders sent, summary of the pipeline, and the sales of the KPIs and of the orders."""

    manifest: Manifest
    summary: Summary
    kpi_sales: Decimal
    silver_sales: Decimal


def run_demo(config: WorldConfig, *, sent: Callable[[int], None], progress: Callable[[str], None]) -> DemoOutcome:
    """Replace the data directory's made-up orders by those of `config`, run everything, and reconcile.

    Raises DemoWouldOverwrite when the directory holds a real broker's orders, AlreadyRunning when another command
    works on it, DemoMismatch when a figure is off.
    """
    settings = load_settings()
    prepare_home(settings)
    with serve_lock(settings.data_dir), run_lock(settings.data_dir):
        _make_room(settings)
        world = simulate(config)
        write_truth(world, settings.data_dir / "truth" / "customers.parquet")
        with own_broker(settings.data_dir / "broker.log"):
            send_history(Platform().kafka, world, sent)
            summary = run_holding_lock(load_settings(), progress=progress)
    kpi_sales, silver_sales = _sales(Platform())
    outcome = DemoOutcome(world.manifest(), summary, kpi_sales, silver_sales)
    _reconcile(outcome)
    return outcome


def _make_room(settings: Settings) -> None:
    warehouse = warehouse_from_settings(settings)
    foreign = cluster_ids(warehouse) - {CLUSTER_ID}
    if foreign:
        raise DemoWouldOverwrite(
            f"{settings.data_dir} holds orders of another Kafka cluster or of a file, which the demo would replace: "
            "set BRIDGECART_DATA_DIR to another folder for the demo."
        )
    if not warehouse.exists and ForgottenList.beside(warehouse.path) is not None:
        raise DemoWouldOverwrite(
            f"{settings.data_dir} holds a list of forgotten customers whose warehouse is gone, which the demo would "
            "replace: set BRIDGECART_DATA_DIR to another folder for the demo."
        )
    remove_home(settings)
    remove_list(warehouse.path)
    for folder in (settings.published_dir, settings.report_path.parent, settings.data_dir / "truth"):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (warehouse.path, warehouse.path.with_suffix(".duckdb.wal")):
        file.unlink(missing_ok=True)


def _sales(platform: Platform) -> tuple[Decimal, Decimal]:
    _, rows = platform.query(
        "select (select coalesce(sum(sales), 0) from kpi.sales_contribution), "
        "(select coalesce(sum(net_amount), 0) from silver.orders)",
        {},
    )
    kpi_sales, silver_sales = rows[0]
    return Decimal(str(kpi_sales)), Decimal(str(silver_sales))


def _reconcile(outcome: DemoOutcome) -> None:
    sent, found = outcome.manifest, outcome.summary
    expected = (sent.events, sent.purchases + sent.refunds, sent.redelivered, sent.malformed)
    counted = (found.records, found.orders, found.duplicates, found.rejected)
    if counted != expected:
        raise DemoMismatch(f"records, orders, duplicates, rejected should be {expected}, the pipeline has {counted}")
    if not outcome.kpi_sales == outcome.silver_sales == sent.net_sales:
        raise DemoMismatch(
            f"sales: events {sent.net_sales}, silver {outcome.silver_sales}, KPIs {outcome.kpi_sales} should be equal"
        )
