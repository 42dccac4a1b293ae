import pytest

from bridgecart_assets.orchestration import clock
from bridgecart_assets.orchestration.clock import WallClock


class Time:
    """A system's two clocks."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000.0, 50.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


def test_a_clock_that_goes_forward_or_is_tuned_was_not_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    monkeypatch.setattr(clock, "time", time)
    watched = WallClock()
    for step in (0.0, 3600.0, -1.0):
        time.passes(10)
        time.wall += step
        assert not watched.was_set_back()
    time.wall -= 60
    assert watched.was_set_back()
    time.passes(10)
    assert not watched.was_set_back()
