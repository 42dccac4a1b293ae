"""Pictures beside an asset in Dagster's UI: small SVGs, drawn in no time, so that every batch can afford them.

The UI shows a text of less than 1,000 characters where it stands, and a longer one behind a link; the report has
the same in full. What belongs elsewhere: the rows (`sql/pictures/`) and when they are read (the IO manager).
"""

import base64
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridgecart_assets.contracts import (
    AVERAGE_ORDER_VALUE,
    CHURN_RATE,
    CLV_GROWTH,
    SALES_CONTRIBUTION,
    SEGMENT_MODEL,
    Contract,
)

# The colour of a segment goes with the number in its key, as in the report; these are seen on light and on dark.
COLORS = ("#2b7cc4", "#c96a12", "#218a66", "#b04d94", "#8f7a10", "#1792a3", "#c04a54", "#7469cc")
WIDTH, HEIGHT, MARGIN, LABEL_WIDTH = 260, 99, 10, 20
FONT_SIZE = 9
MOST_PERIODS = 12
_STEPS = ("opening", "same", "new", "erased", "closing")

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Picture:
    """What is drawn: `sql/pictures/<sql>.sql` by a function, and what it shows, for those who do not see it."""

    sql: str
    draw: Callable[[Rows], str]
    shows: str

    def markdown(self, rows: Rows) -> str:
        """The picture of one row at least, as a Markdown image."""
        svg = (
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{HEIGHT}' font-size='{FONT_SIZE}'>"
            f"{self.draw(rows)}</svg>"
        )
        return f"![{self.shows}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def trends(rows: Rows) -> str:
    """A line per segment over the latest periods; rows of period, segment key, value, a value may be None."""
    periods = sorted({period for period, _, _ in rows})[-MOST_PERIODS:]
    known = [(p, key, value) for p, key, value in rows if value is not None and p in periods]
    level = _scale([value for _, _, value in known], HEIGHT - 3 * MARGIN, MARGIN)
    step = (WIDTH - LABEL_WIDTH - MARGIN - 2) / max(1, len(periods) - 1)
    lines, ends = "", []
    for key in sorted({key for _, key, _ in known}):
        points = [
            (MARGIN + round(periods.index(p) * step), level(value)) for p, segment, value in known if segment == key
        ]
        ends.append((points[-1][1], key))
        # Relative and without what can be left out: so four segments fit where they stand.
        steps = "".join(f"l{to[0] - at[0]}{to[1] - at[1]:+}" for at, to in itertools.pairwise(points))
        lines += f"<path stroke='{color_of(key)}' d='M{points[0][0]} {points[0][1]}{steps}'/>"
    return f"<g fill='none'>{lines}</g>{_labels(ends)}"


def _labels(ends: Sequence[tuple[int, str]]) -> str:
    """The keys at the ends of their lines, none upon another."""
    labels, lowest = "", 0
    for left, (y, key) in zip(range(len(ends) - 1, -1, -1), sorted(ends), strict=True):
        lowest = min(max(y + FONT_SIZE // 3, lowest + FONT_SIZE), HEIGHT - 2 - left * FONT_SIZE)
        labels += f"<text x='{WIDTH - LABEL_WIDTH}' y='{lowest}' fill='{color_of(key)}'>{key}</text>"
    return labels


def segment_map(rows: Rows) -> str:
    """A circle per segment; rows of its key, spend (to the right), purchases (upwards), customers (its area)."""
    right = _scale([row[1] for row in rows], 3 * MARGIN, WIDTH - 4 * MARGIN)
    up = _scale([row[2] for row in rows], HEIGHT - 2 * MARGIN, 2 * MARGIN)
    most = max(row[3] for row in rows)
    return "".join(
        f"<circle cx='{right(spend)}' cy='{up(purchases)}' r='{2 + round(14 * math.sqrt(customers / most))}' "
        f"fill='{color_of(key)}' opacity='.6'/><text x='{right(spend) - 8}' y='{up(purchases) + 3}'>{key}</text>"
        for key, spend, purchases, customers in rows
    )


def bridge(rows: Rows) -> str:
    """A waterfall; one row of opening value, changes, closing value."""
    ((opening, *changes, closing),) = rows
    reached = [opening]
    for change in changes:
        reached.append(reached[-1] + change)
    spans = [(0.0, opening), *itertools.pairwise(reached), (0.0, closing)]
    level = _scale([end for span in spans for end in span], HEIGHT - 2 * MARGIN, MARGIN)
    width = (WIDTH - 2 * MARGIN) // len(spans)
    drawn = []
    for place, (name, (begin, end)) in enumerate(zip(_STEPS, spans, strict=True)):
        top, bottom = sorted((level(begin), level(end)))
        color = COLORS[0] if name in (_STEPS[0], _STEPS[-1]) else COLORS[2] if end >= begin else COLORS[6]
        x = MARGIN + place * width
        drawn.append(
            f"<rect x='{x}' y='{top}' width='{width - 6}' height='{max(1, bottom - top)}' fill='{color}'/>"
            f"<text x='{x}' y='{HEIGHT - MARGIN}' fill='#888'>{name}</text>"
        )
    return "".join(drawn)


def color_of(segment_key: str) -> str:
    """The colour of a segment."""
    number = re.fullmatch(r"S(\d+)", segment_key)
    return COLORS[(int(number[1]) - 1) % len(COLORS)] if number else "#888"


def _scale(values: Sequence[float], first: int, last: int) -> Callable[[float], int]:
    """From values to whole pixels: the least is at `first`, the greatest at `last`."""
    low, high = min(values, default=0), max(values, default=0)
    span = high - low or 1.0
    return lambda value: round(first + (last - first) * (value - low) / span)


_TREND = "by segment over the latest complete periods"
PICTURES: Mapping[Contract, Mapping[str, Picture]] = {
    CLV_GROWTH: {
        "trend": Picture("kpi_clv_growth", trends, f"CLV growth {_TREND}"),
        "bridge": Picture("kpi_clv_bridge", bridge, "CLV bridge of the latest complete period"),
    },
    CHURN_RATE: {"trend": Picture("kpi_churn_rate", trends, f"Churn rate {_TREND}")},
    AVERAGE_ORDER_VALUE: {"trend": Picture("kpi_average_order_value", trends, f"Average order value {_TREND}")},
    SALES_CONTRIBUTION: {"trend": Picture("kpi_sales_contribution", trends, f"Share of sales {_TREND}")},
    SEGMENT_MODEL: {
        "map": Picture("gold_segment_model", segment_map, "Segments: spend to the right, purchases upwards")
    },
}
