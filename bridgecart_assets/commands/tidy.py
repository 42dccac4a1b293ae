"""`bridgecart tidy`: words; `tidy_lake.py` does it."""

import json
from datetime import timedelta

import click

from bridgecart_assets.commands.console import progress


@click.command()
@click.option(
    "--keep-minutes",
    default=60,
    show_default=True,
    type=click.IntRange(min=0),
    help="Files that were needed so long ago stay for whoever reads them.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers by table as JSON.")
def tidy(*, keep_minutes: int, as_json: bool) -> None:
    """Merge the small files of the lake, and delete those that no table needs any more: once a night."""
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.tidy_lake import tidy_lake

    with progress() as (_, step):
        deleted = tidy_lake(load_settings(), timedelta(minutes=keep_minutes), progress=step)
    if as_json:
        print(json.dumps(deleted, indent=2))
    else:
        print(f"{sum(deleted.values()):,} files deleted.")
