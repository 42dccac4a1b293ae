"""The report as an asset: it is materialized when it was written, and only then."""

import dagster as dg
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.asset_specs import REPORT
from bridgecart_assets.orchestration.assets import report
from bridgecart_assets.orchestration.jobs import refresh_config
from bridgecart_assets.orchestration.resources import RefreshMode
from bridgecart_assets_tests.support.pipeline import run_small_shop


def materialized(mode: RefreshMode) -> list[dg.AssetMaterialization]:
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_defs().resolve_job_def("refresh")
        done = job.execute_in_process(instance=instance, asset_selection=[REPORT], run_config=refresh_config(mode))
        assert done.success
        return [event.materialization for event in done.get_asset_materialization_events()]


def test_a_report_that_may_wait_is_neither_written_nor_materialized_unless_everything_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "may_wait", lambda _: True)
    run_small_shop(settings)
    assert materialized(RefreshMode.CHANGES) == []
    assert not settings.report_path.exists()
    (written,) = materialized(RefreshMode.EVERYTHING)
    assert written.metadata["bytes"].value == settings.report_path.stat().st_size
