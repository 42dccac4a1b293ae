"""`bridgecart replay`: options and words; `replay_log.py` does it."""

from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.console import progress, stdout_console, table_with
from bridgecart_assets.commands.kpis import print_kpis
from bridgecart_assets.commands.run import exit_on_failed_checks, print_summary

if TYPE_CHECKING:
    from rich.console import Console


@click.group()
def replay() -> None:
    """Real orders of a published purchase log, through Kafka and the whole pipeline."""


@replay.command()
def cdnow() -> None:
    """CDNOW: all that 2,357 customers of early 1997 bought until June 1998.

    Uses the configured broker, else one of its own. Refuses a data directory or topic that holds other orders. Run
    twice, it sends everything twice, and every order still counts once. BRIDGECART_AS_OF looks at an earlier day.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.replay_log import run_replay
    from bridgecart_assets.sources.files.cdnow import read_cdnow
    from bridgecart_assets.warehouse.published_kpis import kpi_rows

    log = read_cdnow()
    console = stdout_console()
    with progress() as (_, step):
        summary = run_replay(log, progress=step)
    print(
        f"{log.name}: {len(log.orders):,} orders of {log.customers:,} customers, {log.orders[0].ordered_at:%Y-%m-%d} to"
        f" {log.orders[-1].ordered_at:%Y-%m-%d}. Sales {log.sales:,.2f} in the log and in silver."
    )
    print_summary(summary)
    if summary.duplicates:
        print("Duplicates are orders of an earlier replay: none is counted twice.")
    settings = load_settings()
    print_kpis(console, kpi_rows(settings.published_dir), settings, period=None)
    _print_candidates(console)
    print("Next: `bridgecart up --rate 0` opens the Dagster UI and adds no made-up orders.")
    exit_on_failed_checks(summary)


def _print_candidates(console: "Console") -> None:
    """The candidates for the purchase model, by what they would have said of the window held out."""
    from bridgecart_assets.contracts import PURCHASE_MODEL
    from bridgecart_assets.models.purchase_table import candidates_table
    from bridgecart_assets.orchestration.resources import Platform
    from bridgecart_assets.warehouse.published_kpis import percent

    table = table_with("Purchase model", "Log score>", "Error of purchases>", "")
    for row in candidates_table(Platform().read_frame(PURCHASE_MODEL)).to_dict("records"):
        table.add_row(
            row["candidate"],
            f"{row['log_score']:.4f}",
            percent(row["error"], signed=True),
            "chosen" if row["chosen"] else "",
        )
    if table.row_count:
        console.print(table)
