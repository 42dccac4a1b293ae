"""`bridgecart restore`: options and words; `restore_files.py` does it."""

import json
from pathlib import Path

import click

from bridgecart_assets.commands.console import progress


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path), help="Folder that `bridgecart backup` wrote.")
@click.option("--replace", is_flag=True, help="Also where there is a warehouse; it is lost.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def restore(*, folder: Path, replace: bool, as_json: bool) -> None:
    """Put a backup of `bridgecart backup` into the data directory; the next batch reads what came since, once.

    Every file is compared with its digest before anything is changed. Customers whom the data directory knows as
    forgotten stay so.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.restore_files import restore_backup

    with progress() as (counted, step):
        done = restore_backup(
            load_settings(),
            folder,
            replace=replace,
            progress=step,
            copied=lambda n, of: counted(n, of, "copying, MB"),
        )
    if as_json:
        print(json.dumps(done.to_json(), indent=2))
    else:
        print(f"Restored what was saved at {done.made_at}: {done.batches:,} batches, {done.records:,} records.")
        for warning in done.warnings:
            print(warning)
