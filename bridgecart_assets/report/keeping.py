"""Keeping reports of closed periods, each a file of its own that opens by itself.

The first refresh keeps the latest closed period, for what was before is known in hindsight only; later ones keep every
period that has closed since. A page says itself what is remembered of it; `kept.json` says it of all, with what
erasures took away since. Pages are written first: a run that is killed before it remembers takes over what it finds.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import FORGOTTEN_CUSTOMERS
from bridgecart_assets.report.figures import Figures
from bridgecart_assets.report.kept import INDEX, Kept, Sums, from_record, index_page, is_kept, period_name
from bridgecart_assets.report.page import write_page, write_text
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.storage.database import table_exists

MEMORY = "kept.json"
_FIGURES = re.compile(r'<script type="application/json" id="figures">(.*?)</script>', re.DOTALL)

Reports = Mapping[str, Kept]
Span = tuple[str, str]


class KeptUnreadable(BridgeCartError):
    """The memory of the kept reports is broken."""


@dataclass(frozen=True)
class _Orders:
    """The sums of the orders of each span of days, a text of who had been erased, the time of the newest order."""

    sums: Mapping[Span, Sums]
    erasures: str
    newest: str


def keep_reports(connection: duckdb.DuckDBPyConnection, settings: Settings, figures: Figures) -> None:
    """Keep the reports of the periods that have closed, write those anew whose orders changed, and list them.

    `figures` are those of `figures.gather`, of the same connection. Raises ReportNotWritten, KeptUnreadable.
    """
    folder, before, closed = settings.report_path.parent, _remembered(settings.report_path.parent), _closed(figures)
    new = _closed_since(before, closed, settings)
    orders = _orders(connection, [*new, *((one.opens, one.closes) for one in before.values())], figures)
    after = [*_first_kept(new, orders, settings), *_followed(before.values(), orders, closed)]
    newest_first = sorted(after, key=lambda one: (one.closes, one.name), reverse=True)
    kept = {one.name: one for one in newest_first[: settings.keep_reports]}
    for name, one in kept.items():
        if name not in before or one.is_rewritten_since(before[name]):
            words = {"kept": asdict(one), "kept_words": one.words(settings.currency)}
            write_page({**figures, "health": None, **words}, folder / f"{name}.html")
    for name in before.keys() - kept.keys():
        (folder / f"{name}.html").unlink(missing_ok=True)
    if kept != before or not (folder / MEMORY).exists() or not (folder / INDEX).exists():
        write_text(json.dumps([asdict(one) for one in kept.values()], indent=1), folder / MEMORY)
        write_text(index_page(kept.values(), settings.currency), folder / INDEX)


def _closed(figures: Figures) -> Mapping[str, Span]:
    """The periods of the report that have an order after their last day, by name."""
    table, unit = figures["tables"]["figures"], figures["settings"]["period"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
    spans = {(row["period"], row["closes_on"]) for row in rows if row["is_complete"]}
    return {period_name(unit, opens): (opens, closes) for opens, closes in spans if closes <= _newest_order(figures)}


def _closed_since(before: Reports, closed: Mapping[str, Span], settings: Settings) -> Sequence[Span]:
    """The periods that have closed since the newest that is kept; at first only the latest."""
    last = max((one.opens for one in before.values() if one.unit == settings.kpi_period), default="")
    later = sorted(span for span in closed.values() if span[0] > last)
    return later if last else later[-1:]


def _first_kept(spans: Sequence[Span], orders: _Orders, settings: Settings) -> Iterator[Kept]:
    for opens, closes in spans:
        sums, newest = orders.sums[opens, closes], orders.newest
        yield Kept(settings.kpi_period, opens, closes, newest, newest, sums, orders.erasures)


def _followed(kept: Iterable[Kept], orders: _Orders, closed: Mapping[str, Span]) -> Iterator[Kept]:
    """Those that are kept, after their orders. One that cannot be shown, as of another length of periods, waits."""
    for one in kept:
        sums = orders.sums[one.opens, one.closes]
        yield one.followed(sums, orders.erasures, orders.newest, is_shown=one.name in closed)


def _newest_order(figures: Figures) -> str:
    return str(figures["clock"]["newest_order_at"] or "")


def _orders(connection: duckdb.DuckDBPyConnection, spans: Sequence[Span], figures: Figures) -> _Orders:
    given = {"opens": [opens for opens, _ in spans], "closes": [closes for _, closes in spans]}
    rows = connection.execute(read_sql("report/kept_sums"), given).fetchall()
    sums = {(opens.isoformat(), closes.isoformat()): Sums(*sums) for opens, closes, *sums in rows}
    return _Orders(sums, _erasures(connection), _newest_order(figures))


def _erasures(connection: duckdb.DuckDBPyConnection) -> str:
    if not table_exists(connection, FORGOTTEN_CUSTOMERS):
        return "none"
    ((erasures,),) = connection.execute(read_sql("report/erasures")).fetchall()
    return str(erasures)


def _remembered(folder: Path) -> Reports:
    """The reports that are there, newest first: as `kept.json` says, or as the page itself does."""
    memory = {one.name: one for one in _memory(folder / MEMORY)}
    names = [file.stem for file in folder.glob("*.html") if is_kept(file.name)]
    found = [memory[name] if name in memory else _said_by(folder / f"{name}.html") for name in names]
    return {one.name: one for one in sorted(found, key=lambda one: (one.closes, one.name), reverse=True)}


def _memory(file: Path) -> Sequence[Kept]:
    try:
        return [from_record(record) for record in json.loads(file.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError) as error:
        raise KeptUnreadable(f"{file} is broken: delete it, the next refresh makes it from the reports.") from error


def _said_by(page: Path) -> Kept:
    try:
        (given,) = _FIGURES.findall(page.read_text(encoding="utf-8"))
        return from_record(json.loads(given)["kept"])
    except (ValueError, TypeError, KeyError) as error:
        raise KeptUnreadable(f"{page} is no report that was kept: move it to another folder.") from error
