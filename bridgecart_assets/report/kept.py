"""A report of a closed period: what is remembered of it, when it changes, and how that is said.

Its orders decide, summed over all customers: a refit or a churn rate that matures later moves no sum of them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from html import escape
from typing import Any

from bridgecart_assets.base.settings import Period

INDEX = "index.html"
_NAME = re.compile(r"\d{4}-(\d{2}|\d{2}-\d{2}|W\d{2})\.html", re.ASCII)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Reports of closed periods - BridgeCart</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 900px; margin: 0 auto; padding: 16px; font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.25rem; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 6px 16px 6px 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8888; }}
td:not(:last-child) {{ white-space: nowrap; }}
</style>
</head>
<body>
<main>
<h1>Reports of closed periods</h1>
<p><a href="segments.html">The report of now</a></p>
<p>Each was written when its period had closed, and stays as it is. Orders of it that come late, or are corrected,
change it, which it says.</p>
{rows}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Sums:
    """The sums of the orders of a period: purchases and refunds, net sales, and a fingerprint of the orders."""

    orders: int
    sales: str
    fingerprint: str


@dataclass(frozen=True)
class Kept:
    """A report that is kept, as it is remembered.

    Attributes:
        opens: first day of the period.
        closes: the day after its last one.
        since: time of the newest order when it was first written, `until` when it was written last.
        sums: of its orders when somebody last looked.
        erasures: which customers had been erased by then.
        late_orders: orders that came since it was first written, less those that went, but for erased customers.
        late_sales: their net sales.

    """

    unit: Period
    opens: str
    closes: str
    since: str
    until: str
    sums: Sums
    erasures: str
    late_orders: int = 0
    late_sales: str = "0.00"
    is_changed: bool = False

    @property
    def name(self) -> str:
        """The period as people and the file name it: 2025-12, 2025-W49, 2025-12-03."""
        return period_name(self.unit, self.opens)

    def followed(self, sums: Sums, erasures: str, newest: str, *, is_shown: bool) -> "Kept":
        """The same, after its orders: whatever an erasure took away is no change of them.

        A warehouse whose newest order is older than the report was put back, and goes on first.
        """
        if erasures != self.erasures:
            return replace(self, sums=sums, erasures=erasures)
        if sums == self.sums or newest < self.until or not is_shown:
            return self
        return replace(
            self,
            until=newest,
            sums=sums,
            late_orders=self.late_orders + sums.orders - self.sums.orders,
            late_sales=str(Decimal(self.late_sales) + Decimal(sums.sales) - Decimal(self.sums.sales)),
            is_changed=True,
        )

    def is_rewritten_since(self, before: "Kept") -> bool:
        """True if its orders changed since then."""
        return self != before and self.erasures == before.erasures

    def words(self, currency: str | None) -> str:
        """The sentences that its head says."""
        kept = f"Report of {self.name}, kept as it was with orders until {_minute(self.until)}."
        return f"{kept} {self.change(currency)}".strip()

    def change(self, currency: str | None) -> str:
        """The sentence of what changed it; empty when nothing has."""
        if not self.is_changed:
            return ""
        sales = f"{f'{currency} ' if currency else ''}{Decimal(self.late_sales):+,.2f}"
        return (
            "Changed since it was first written, because orders came late or were corrected: "
            f"orders {self.late_orders:+,}, net sales {sales}. First written with orders until {_minute(self.since)}."
        )


def is_kept(file: str) -> bool:
    """True for the name of a file that is a report of a closed period."""
    return _NAME.fullmatch(file) is not None


def from_record(record: Mapping[str, Any]) -> Kept:
    """The report of a record that `dataclasses.asdict` made."""
    return Kept(**{**record, "sums": Sums(**record["sums"])})


def period_name(unit: Period, opens: str) -> str:
    """The name of the period that opens on a day."""
    if unit == "week":
        year, week, _ = date.fromisoformat(opens).isocalendar()
        return f"{year}-W{week:02}"
    return opens[:7] if unit == "month" else opens


def index_page(reports: Iterable[Kept], currency: str | None) -> str:
    """The page that lists them, newest first as they come."""
    rows = "\n".join(
        f'<tr><td><a href="{one.name}.html">{one.name}</a></td><td>{_minute(one.until)}</td>'
        f"<td>{escape(one.change(currency))}</td></tr>"
        for one in reports
    )
    head = "<thead><tr><th>Period</th><th>With orders until</th><th>Late orders</th></tr></thead>"
    table = f"<table>\n{head}\n<tbody>\n{rows}\n</tbody>\n</table>"
    return _PAGE.format(rows=table if rows else "<p>No period has closed yet, or none is kept.</p>")


def _minute(instant: str) -> str:
    return instant[:16].replace("T", " ")
