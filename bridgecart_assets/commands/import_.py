"""`bridgecart import`: options and words; `import_files.py` does it."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.console import progress, say_aside
from bridgecart_assets.commands.run import exit_on_failed_checks, fail_on_option, print_summary

if TYPE_CHECKING:
    from bridgecart_assets.commands.run_pipeline import FailOn


@click.command("import")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    help="CSV, NDJSON (both also .gz) or Parquet, told by their names.",
)
@click.option(
    "--mapping",
    "mapping_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="How the rows are read, docs/your-topic.md; without it they are BridgeCart's own events.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@fail_on_option
def import_(*, files: tuple[Path, ...], mapping_file: Path | None, as_json: bool, fail_on: "FailOn") -> None:
    """Take in orders that are older than the topic, from CSV, NDJSON or Parquet files, then refresh everything.

    Rows that stand already are not taken in again: a file may be imported twice, and an import that was killed goes
    on where it was. With another mapping they are read again as they stand. The topic is not read. Exits with 3 when a
    check failed.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.import_files import import_files, load_mapping_of_rows
    from bridgecart_assets.commands.run_alerts import watched
    from bridgecart_assets.commands.run_pipeline import Summary

    settings, summary = load_settings(), Summary()
    mapping = None if mapping_file is None else load_mapping_of_rows(mapping_file).text
    if mapping is None and settings.mapping is not None:
        say_aside(
            "the rows are read as BridgeCart's own events: BRIDGECART_MAPPING is for the topic, --mapping for files."
        )
    with (
        watched("import", settings, say=lambda line: print(line, file=sys.stderr)),
        progress() as (counted, step),
    ):
        imported = import_files(settings, files, mapping=mapping, progress=step, counted=counted, summary=summary)
    for file in imported:
        if file.warning is not None:
            say_aside(f"warning: {file.warning}")
    if as_json:
        print(json.dumps({"files": [asdict(file) for file in imported], **summary.to_json()}, indent=2))
    else:
        for file in imported:
            print(file.says())
        print_summary(summary)
    exit_on_failed_checks(summary, fail_on)
