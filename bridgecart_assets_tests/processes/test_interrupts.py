import os
import signal

import pytest

from bridgecart_assets.processes.interrupts import SIGNALS, interrupt_on_signals, interrupts


def test_without_a_signal_nothing_is_noticed() -> None:
    with interrupts() as interrupted_by:
        assert interrupted_by() is None


@pytest.mark.parametrize("number", SIGNALS)
def test_ctrl_c_and_sigterm_are_noticed_also_when_others_made_an_error_of_it(number: signal.Signals) -> None:
    with interrupt_on_signals(), interrupts() as interrupted_by:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert interrupted_by() == number
        assert interrupted_by() == number
    with interrupts() as interrupted_by:
        assert interrupted_by() is None


def test_other_signals_ask_nobody_to_end() -> None:
    before = signal.signal(signal.SIGUSR1, lambda _signal, _frame: None)
    try:
        with interrupts() as interrupted_by:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert interrupted_by() is None
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_one_that_is_within_another_tells_it_to_both(number: signal.Signals) -> None:
    with interrupt_on_signals(), interrupts() as outer:
        with interrupts() as inner:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
            assert inner() == number
        assert outer() == number
