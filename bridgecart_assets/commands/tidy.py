"""`bridgecart tidy`: words; `tidy_lake.py` does it."""

import json

import click

from bridgecart_assets.commands.console import progress


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the numbers by table as JSON.")
def tidy(*, as_json: bool) -> None:
    """Merge the small files of the lake, and delete those that no table needs any more; for a night, every night.

    Files that were needed within the last hour stay for whoever reads them.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.tidy_lake import tidy_lake

    with progress() as (_, step):
        deleted = tidy_lake(load_settings(), progress=step)
    if as_json:
        print(json.dumps(deleted, indent=2))
    else:
        print(f"{sum(deleted.values()):,} files deleted.")
