from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bridgecart_assets.synthetic import WorldConfig

START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"orders": -1}, "orders must be a whole number from 0"),
        ({"orders": 1.5}, "orders must be a whole number"),
        ({"orders": True}, "orders must be a whole number"),
        ({"horizon_days": -1}, "horizon_days must be a whole number from 0"),
        ({"horizon_days": 100_000}, "horizon_days must be a whole number from 0 to 3650"),
        ({"share_late": 1.0}, "share_late must be at least 0 and below 1"),
        ({"share_refunded": -0.1}, "share_refunded must be at least 0"),
        ({"share_malformed": float("nan")}, "share_malformed must be at least 0"),
        ({"share_redelivered": "1"}, "share_redelivered must be at least 0"),
        ({"start": datetime(2025, 1, 1)}, "start must be a datetime with a time zone"),  # noqa: DTZ001
        ({"end": "2025-01-01"}, "end must be a datetime with a time zone"),
        ({"start": START.replace(microsecond=1)}, "start must be a whole number of milliseconds"),
        ({"start": datetime(1969, 1, 1, tzinfo=UTC)}, "start must not lie before 1970"),
        ({"start": START, "end": START}, "end must be at least one day after start"),
        ({"start": START, "end": START - timedelta(days=9)}, "end must be at least one day after start"),
        ({"end": datetime(9998, 1, 1, tzinfo=UTC)}, "end must lie before the year 9000"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        WorldConfig(**settings)
    assert "\n" not in str(caught.value)


def test_instants_of_any_time_zone_mean_the_same() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    here = WorldConfig(start=START, end=START + timedelta(days=60))
    there = WorldConfig(start=START.astimezone(india), end=(START + timedelta(days=60)).astimezone(india))
    assert (here.start_ms, here.end_ms, here.horizon_ms) == (there.start_ms, there.end_ms, there.horizon_ms)


def test_the_default_history_is_eighteen_months() -> None:
    config = WorldConfig()
    assert (config.start, config.end) == (datetime(2024, 7, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    assert config.horizon_ms - config.end_ms == 330 * 86_400_000
