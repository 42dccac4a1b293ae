"""The batch protocol, checked as a model: whatever happens in whatever order, every record is in exactly one batch."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from bridgecart_assets_tests.protocol.machine import BatchMachine
from bridgecart_assets_tests.protocol.world import ProtocolBroken, connect
from bridgecart_assets_tests.protocol.wrong import WRONG, WRONG_ABOUT_HISTORY, Wrong
from bridgecart_assets_tests.support.examples import scaled

ALL_PHASES = (Phase.generate, Phase.shrink)


class RecordingLosses(BatchMachine):
    fail_on_data_loss = False


class RewritingHistories(BatchMachine):
    histories_are_rewritten = True


MACHINES = pytest.mark.parametrize(
    "machine",
    [BatchMachine, RecordingLosses, RewritingHistories],
    ids=["losses stop it", "losses are recorded", "histories are rewritten"],
)


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch)


def check(
    machine: type[BatchMachine], *, programs: int, steps: int = 40, phases: Sequence[Phase] = (Phase.generate,)
) -> None:
    profile = settings(
        max_examples=programs,
        stateful_step_count=steps,
        phases=phases,
        derandomize=True,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=profile)


@MACHINES
def test_every_record_ends_in_exactly_one_batch_whatever_happens(machine: type[BatchMachine]) -> None:
    check(machine, programs=scaled(150), phases=ALL_PHASES)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(6))  # in parts: hypothesis remembers every program it ran
@MACHINES
def test_every_record_ends_in_exactly_one_batch_in_long_histories(machine: type[BatchMachine], number: int) -> None:
    check(seed(number)(type("Seeded", (machine,), {})), programs=500, steps=80, phases=ALL_PHASES)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_protocol_is_caught_that(wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(monkeypatch)
    with pytest.raises(ProtocolBroken):
        # It ends with the first that is caught. The rarest takes a thousand programs, and which ones are drawn depends
        # on the modules that other tests have loaded: hypothesis draws constants from them.
        check(BatchMachine, programs=10_000, steps=15)


@pytest.mark.parametrize("wrong", WRONG_ABOUT_HISTORY, ids=lambda wrong: wrong.__name__)
def test_a_protocol_is_caught_where_histories_are_rewritten_that(wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong(monkeypatch)
    with pytest.raises(ProtocolBroken):
        check(RewritingHistories, programs=10_000, steps=15)
