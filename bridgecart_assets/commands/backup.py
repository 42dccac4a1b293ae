"""`bridgecart backup`: options and words; `backup_files.py` does it."""

import json
from pathlib import Path

import click

from bridgecart_assets.commands.console import progress


@click.command()
@click.argument(
    "folder", metavar="DIR", type=click.Path(path_type=Path), help="Folder that is not there yet, or empty."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def backup(*, folder: Path, as_json: bool) -> None:
    """Copy everything that must be kept to the new folder DIR, also while `bridgecart up` works.

    It waits until the run in progress has ended; new orders wait in the topic meanwhile. The folder has names and phone
    numbers of customers, and no password: `.env` is not in it. `bridgecart restore` puts it back.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.backup_files import back_up

    with progress() as (counted, step):
        done = back_up(load_settings(), folder, progress=step, copied=lambda n, of: counted(n, of, "copying, MB"))
    if as_json:
        print(json.dumps(done.to_json(), indent=2))
    else:
        print(f"{folder}: {done.files:,} files, {done.size / 1e6:,.1f} MB.")
        if not done.has_records:
            print("Dagster's records are on a server and not in it: docs/operations.md says what becomes of them.")
