"""Mild seasonality by time-warping: customers live in days of even intensity, the calendar bends."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MS_PER_HOUR = 3_600_000
MS_PER_DAY = 24 * MS_PER_HOUR
LOCAL_OFFSET_MS = 5 * MS_PER_HOUR + MS_PER_HOUR // 2
"""India is 5:30 ahead of UTC; shoppers keep local hours and weekends."""

WEEKDAY_SWING = (0.96, 0.94, 0.95, 0.98, 1.02, 1.09, 1.06)
"""Relative intensity, Monday to Sunday."""

YEARLY_SWING = 0.10
YEARLY_PEAK_DAY = 300
"""Day of the year of the peak: the festive weeks of late October."""

HOUR_PROFILE = (
    *(0.35, 0.20, 0.12, 0.10, 0.12, 0.25, 0.50, 0.80, 1.00, 1.15, 1.30, 1.40),
    *(1.45, 1.35, 1.20, 1.15, 1.20, 1.35, 1.55, 1.80, 1.95, 1.80, 1.35, 0.75),
)
"""Relative intensity by local hour of the day."""


@dataclass(frozen=True, eq=False)
class Season:
    """Cumulative intensity over a window: `days[i]` operational days have passed at `edges_ms[i]` (epoch ms).

    The mean intensity over the window is 1, so an operational day is a calendar day on average.
    """

    edges_ms: NDArray[np.float64]
    days: NDArray[np.float64]

    @property
    def length(self) -> float:
        """Operational days in the window."""
        return float(self.days[-1])

    def to_calendar(self, days: NDArray[np.float64]) -> NDArray[np.int64]:
        """Instants in whole epoch milliseconds at these operational days, inside the window."""
        instants = np.interp(days, self.days, self.edges_ms).astype(np.int64)
        return np.minimum(instants, np.int64(self.edges_ms[-1]) - 1)


def build_season(start_ms: int, stop_ms: int) -> Season:
    """Season of the window `[start_ms, stop_ms)` in epoch milliseconds, piecewise constant by the hour."""
    edges = np.append(np.arange(start_ms, stop_ms, MS_PER_HOUR, dtype=np.int64), stop_ms)
    widths = np.diff(edges)
    mass = np.concatenate(([0.0], np.cumsum(intensity(edges[:-1] + widths // 2) * widths)))
    return Season(edges.astype(np.float64), mass / mass[-1] * (stop_ms - start_ms) / MS_PER_DAY)


def intensity(instants_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    """Relative intensity of buying at these instants (epoch ms): yearly by weekly by daily swing."""
    local = instants_ms + LOCAL_OFFSET_MS
    day = local // MS_PER_DAY
    hour = np.array(HOUR_PROFILE)[local % MS_PER_DAY // MS_PER_HOUR]
    # 1970-01-01 was a Thursday, weekday 3 when Monday is 0.
    weekday = np.array(WEEKDAY_SWING)[(day + 3) % 7]
    yearly = 1 + YEARLY_SWING * np.cos(2 * np.pi * (day % 365.2425 - YEARLY_PEAK_DAY) / 365.2425)
    return np.asarray(yearly * weekday * hour, dtype=np.float64)
