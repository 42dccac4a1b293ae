import os

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from bridgecart_assets_tests.protocol.machine import BatchMachine

N = int(os.environ.get("N", "200"))
QUICK = settings(max_examples=N, stateful_step_count=int(os.environ.get("STEPS","40")), derandomize=True, database=None, deadline=None)


def test_every_record_ends_in_exactly_one_batch_whatever_happens():
    run_state_machine_as_test(BatchMachine, settings=QUICK)
