"""Parameters of a made-up world: one frozen set of numbers, validated when it is built."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINIMUM_HISTORY = timedelta(days=1)
MAXIMUM_HORIZON_DAYS = 3_650
MAXIMUM_ORDERS = 100_000_000


@dataclass(frozen=True)
class WorldConfig:
    """Same config, same bytes.

    `orders` is the exact number of distinct valid purchases in `[start, end)`, both aware instants. After
    `end` the same world goes on for `horizon_days` as live orders. The four shares lie in [0, 1) and are
    relative to the orders of their phase (history or live); redeliveries count refunds as orders too.

    Raises:
        ValueError: one line that names the setting, the rule and the value.
    """

    seed: int = 7
    orders: int = 100_000
    start: datetime = datetime(2024, 7, 1, tzinfo=UTC)
    end: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    horizon_days: int = 330
    share_redelivered: float = 0.01
    share_late: float = 0.01
    share_refunded: float = 0.01
    share_malformed: float = 0.005

    def __post_init__(self) -> None:
        _require_integer("seed", self.seed, 0, 2**63 - 1)
        _require_integer("orders", self.orders, 0, MAXIMUM_ORDERS)
        _require_integer("horizon_days", self.horizon_days, 0, MAXIMUM_HORIZON_DAYS)
        for name in ("share_redelivered", "share_late", "share_refunded", "share_malformed"):
            _require_share(name, getattr(self, name))
        for name in ("start", "end"):
            _require_instant(name, getattr(self, name))
        if self.start < EPOCH:
            raise ValueError(f"start must not lie before 1970, got {self.start.isoformat()}")
        if self.end - self.start < MINIMUM_HISTORY:
            raise ValueError(
                f"end must be at least one day after start, got {self.start.isoformat()} to {self.end.isoformat()}"
            )
        if self.end.year + self.horizon_days // 365 > 9_000:
            raise ValueError(f"end must lie before the year 9000, got {self.end.isoformat()}")

    @property
    def start_ms(self) -> int:
        """Start in milliseconds since the epoch."""
        return epoch_ms(self.start)

    @property
    def end_ms(self) -> int:
        """End of history, start of live, in milliseconds since the epoch."""
        return epoch_ms(self.end)

    @property
    def horizon_ms(self) -> int:
        """End of live, in milliseconds since the epoch; nothing is purchased or refunded from here on."""
        return epoch_ms(self.end + timedelta(days=self.horizon_days))


def epoch_ms(instant: datetime) -> int:
    """Whole milliseconds since 1970-01-01 UTC, rounded down. Exact: no floating point."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def _require_integer(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")


def _require_share(name: str, value: float) -> None:
    # Written as `not (...)` so that NaN is refused as well.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")


def _require_instant(name: str, value: datetime) -> None:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ValueError(f"{name} must be a datetime with a time zone, got {value!r}")
    if value.microsecond % 1_000:
        raise ValueError(f"{name} must be a whole number of milliseconds, got {value.isoformat()}")
