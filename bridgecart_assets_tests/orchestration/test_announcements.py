"""Other programs are told by a job of its own, and by nothing else."""

import dagster as dg
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SILVER_CUSTOMERS
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.asset_specs import SEGMENT_CHANGES_TOPIC, asset_key
from bridgecart_assets.orchestration.jobs import PRINTED
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.outbox import NothingToAnnounce
from bridgecart_assets_tests.support.causes import our_own
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


def test_the_job_sends_and_says_how_many_and_where_as_a_materialization_of_the_topic(announced: list[int]):
    with dg.DagsterInstance.ephemeral() as instance:
        assert defs.resolve_job_def("announce_segments").execute_in_process(instance=instance, run_config=PRINTED)
        event = instance.get_latest_materialization_event(SEGMENT_CHANGES_TOPIC)
    assert announced == [7]
    assert event is not None
    assert event.asset_materialization is not None
    told = {name: entry.value for name, entry in event.asset_materialization.metadata.items()}
    assert told == {"sent": 7, "topic": "bridgecart.segment-changes"}


def test_who_materializes_tables_sends_nothing_and_cannot_select_the_topic(settings: Settings, announced: list[int]):
    run_small_shop(settings)
    everything = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        done = everything.execute_in_process(asset_selection=[asset_key(SILVER_CUSTOMERS)], instance=instance)
        assert done.success
        assert instance.get_latest_materialization_event(SEGMENT_CHANGES_TOPIC) is None
    assert announced == []
    assert SEGMENT_CHANGES_TOPIC not in everything.asset_layer.executable_asset_keys


def test_a_job_that_could_not_send_fails_with_our_line_and_materializes_nothing(monkeypatch: pytest.MonkeyPatch):
    def announce(_: Platform) -> int:
        raise NothingToAnnounce("There are no segments yet")

    monkeypatch.setattr(Platform, "announce_segments", announce)
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(NothingToAnnounce), our_own():
            defs.resolve_job_def("announce_segments").execute_in_process(instance=instance)
        assert instance.get_latest_materialization_event(SEGMENT_CHANGES_TOPIC) is None
