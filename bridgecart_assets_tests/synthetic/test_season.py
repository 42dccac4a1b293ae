from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bridgecart_assets.synthetic import WorldConfig
from bridgecart_assets.synthetic.season import MS_PER_DAY, MS_PER_HOUR, Season, build_season, intensity


@pytest.fixture(scope="module")
def season() -> Season:
    config = WorldConfig()
    return build_season(config.start_ms, config.horizon_ms)


def test_an_operational_day_is_a_calendar_day_on_average(season: Season) -> None:
    config = WorldConfig()
    assert season.length == pytest.approx((config.horizon_ms - config.start_ms) / MS_PER_DAY)


def test_the_calendar_never_runs_back_and_stays_in_the_window(season: Season) -> None:
    instants = season.to_calendar(np.linspace(0, season.length, 100_000))
    assert (np.diff(instants) >= 0).all()
    assert instants[0] == season.edges_ms[0]
    assert instants[-1] == season.edges_ms[-1] - 1


def test_swings_are_mild_from_day_to_day_and_strong_from_night_to_evening(season: Season) -> None:
    days = np.floor(season.to_calendar(np.arange(0, season.length, 0.001)) / MS_PER_DAY)
    per_day = np.unique(days, return_counts=True)[1][1:-1]
    assert 0.75 < per_day.min() / per_day.mean() < 1 < per_day.max() / per_day.mean() < 1.3
    midnight_in_india = int(datetime(2025, 3, 4, 18, 30, tzinfo=UTC).timestamp()) * 1_000
    by_hour = intensity(midnight_in_india + np.arange(24) * MS_PER_HOUR)
    assert by_hour.argmax() == 20
    assert by_hour.argmin() == 3


def test_a_window_may_end_within_an_hour() -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    stop = start + timedelta(days=1, minutes=1)
    season = build_season(*(int(instant.timestamp()) * 1_000 for instant in (start, stop)))
    assert season.length == pytest.approx(1 + 1 / 1_440)
