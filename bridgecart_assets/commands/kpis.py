"""`bridgecart kpis`: options, and the table of the KPIs."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.console import stdout_console, table_with

if TYPE_CHECKING:
    from rich.console import Console

    from bridgecart_assets.base.settings import Settings
    from bridgecart_assets.warehouse.published_kpis import KpiRow


@click.command()
@click.option("--json", "as_json", is_flag=True, help="All periods and segments as a list of objects.")
@click.option("--period", help="Opening date of the period to show, YYYY-MM-DD; default: the latest complete one.")
def kpis(*, as_json: bool, period: str | None) -> None:
    """The KPIs by segment."""
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.warehouse.published_kpis import kpi_rows, segment_remarks

    settings = load_settings()
    rows = kpi_rows(settings.published_dir)
    if as_json:
        print(json.dumps([row for row in rows if period in (None, row["period"])], indent=2))
    else:
        print_kpis(stdout_console(), rows, settings, period=period)
        if said := segment_remarks(settings.published_dir):
            print(said)


def print_kpis(console: "Console", rows: Sequence["KpiRow"], settings: "Settings", *, period: str | None) -> None:
    """A table of one period, by default of the latest complete one. Raises UsageError where it is not there."""
    from bridgecart_assets.contracts import CHURN, KPIS
    from bridgecart_assets.warehouse.published_kpis import (
        kpi_texts,
        latest_matured,
        latest_period,
        missing,
        remarks,
        segment_text,
        with_unit,
    )

    if not rows:
        print("No KPIs yet: no order has been accepted.")
        return
    periods = sorted({row["period"] for row in rows})
    if period is not None and period not in periods:
        raise click.UsageError(f"no period opens on {period}; the data has {periods[0]} to {periods[-1]}")
    complete = {row["period"] for row in rows if row["is_complete"]}
    shown = period or latest_period(rows) or periods[-1]
    matured, _ = latest_matured(CHURN, rows, shown)
    headings = [f"{with_unit(kpi.short_label, kpi, settings.currency)}{'*' if kpi.matures else ''}>" for kpi in KPIS]
    table = table_with("Segment", "Customers>", *headings)
    for row, texts in kpi_texts(rows, shown, signed=True):
        table.add_row(segment_text(row), *texts)
    open_note = "" if shown in complete else ", still open"
    print(f"KPIs by segment, period from {shown}{open_note}")
    console.print(table)
    when = (
        f"of the period from {matured}, the latest whose window is over"
        if matured
        else "of this period exists once its window is over"
    )
    print(
        f"* The churn rate {when}: of those active when it opened.\n"
        "  Customers: at the opening. new: first order in the period. unassigned: ordered before, had no segment.\n"
        f"  Periods and days: in the shop's calendar ({settings.calendar_timezone})."
    )
    for absent in missing(rows, shown):
        print(f"  {absent}")
    for remark in remarks(rows, shown):
        print(f"! {remark}")
