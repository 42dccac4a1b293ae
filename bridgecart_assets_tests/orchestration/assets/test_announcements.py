"""Who materializes everything does not tell other programs by the way."""

import dagster as dg
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SILVER_CUSTOMERS
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.asset_specs import SEGMENT_CHANGES_TOPIC, asset_key
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets_tests.support.pipeline import run_small_shop

defs = build_defs()


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the calls; what they do is tested on a broker."""
    calls: list[int] = []

    def announce(_: Platform) -> int:
        calls.append(7)
        return 7

    monkeypatch.setattr(Platform, "announce_segments", announce)
    return calls


def sent(result: dg.ExecuteInProcessResult) -> object:
    (found,) = result.asset_materializations_for_node("announced__segment_changes")
    return found.metadata["sent"].value


def test_materialized_together_with_others_it_sends_nothing_and_says_how_to(settings: Settings, announced: list[int]):
    run_small_shop(settings)
    selection = [SEGMENT_CHANGES_TOPIC, asset_key(SILVER_CUSTOMERS)]
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=selection, instance=instance
        )
    assert announced == []
    assert "materialize this asset by itself" in str(sent(result))


def test_materialized_by_itself_and_by_its_job_it_sends(settings: Settings, announced: list[int]):
    with dg.DagsterInstance.ephemeral() as instance:
        by_itself = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[SEGMENT_CHANGES_TOPIC], instance=instance
        )
        by_job = defs.resolve_job_def("announce_segments").execute_in_process(instance=instance)
    assert (sent(by_itself), sent(by_job)) == (7, 7)
    assert announced == [7, 7]
