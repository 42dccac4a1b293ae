import os
import signal

import pytest

from bridgecart_assets.operations.interrupts import interrupts


def test_without_ctrl_c_nothing_is_noticed() -> None:
    with interrupts() as was_interrupted:
        assert not was_interrupted()


def test_ctrl_c_is_noticed_also_when_others_made_an_error_of_it() -> None:
    with interrupts() as was_interrupted:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert was_interrupted()
        assert was_interrupted()
    with interrupts() as was_interrupted:
        assert not was_interrupted()


def test_other_signals_are_no_ctrl_c() -> None:
    before = signal.signal(signal.SIGUSR1, lambda _signal, _frame: None)
    try:
        with interrupts() as was_interrupted:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert not was_interrupted()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_one_that_is_within_another_tells_it_to_both() -> None:
    with interrupts() as outer:
        with interrupts() as inner:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
            assert inner()
        assert outer()
