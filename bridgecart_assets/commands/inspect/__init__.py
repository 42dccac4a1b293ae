"""`bridgecart inspect`: options and words; the modules of this folder do it."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.console import CHECK_FAILED, say_aside

if TYPE_CHECKING:
    from bridgecart_assets.base.settings import Settings
    from bridgecart_assets.commands.inspect.look import Look

MOST_RECORDS = 1_000_000


@click.command()
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path),
    help="A file to look at instead of the topic: CSV, NDJSON or Parquet.",
)
@click.option(
    "--records",
    type=click.IntRange(1, MOST_RECORDS),
    default=1_000,
    show_default=True,
    help="How many to look at: the newest of the topic, the first of a file.",
)
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A mapping to try: how many orders, duplicates and rejects the records make, and net sales by month.",
)
@click.option(
    "--write",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the proposed mapping to; one that is there stays.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def inspect(*, file: Path | None, records: int, mapping: Path | None, target: Path | None, as_json: bool) -> None:
    """Look at records of the topic, or of a file: their form, their paths with masked examples, and a mapping for them.

    With --mapping, try it on them. Nothing is stored or committed, and no group is joined. Examples show the shape of a
    value, never its content.

    Exits with 3 when a mapping rejects more than BRIDGECART_MAX_REJECT_SHARE of the records.
    """
    from bridgecart_assets.base.settings import load_settings

    if target is not None and mapping is not None:
        raise click.UsageError("--write and --mapping exclude each other.")
    if target is not None and target.exists():
        raise click.UsageError(f"{target} is there already and stays: give --write another name.")
    settings = load_settings()
    if mapping is not None:
        _try_out(mapping, file, records, settings, as_json=as_json)
    else:
        _look(file, records, settings, target, as_json=as_json)


def _look(file: Path | None, records: int, settings: "Settings", target: Path | None, *, as_json: bool) -> None:
    from bridgecart_assets.commands.inspect.look import look_at
    from bridgecart_assets.commands.inspect.records import first_of_file, newest_of_topic, read_records
    from bridgecart_assets.commands.inspect.schemas import ask_registry
    from bridgecart_assets.commands.inspect.text import print_look

    asked = newest_of_topic(settings, records) if file is None else first_of_file(file, settings, records)
    look = look_at(read_records(asked), settings, partial(ask_registry, settings))
    if as_json:
        print(json.dumps(look.to_json(), indent=2))
    else:
        print_look(look)
    if target is not None:
        _write(look, target)
    elif look.mapping is not None and not as_json:
        print(f"\nThe mapping that it may need (--write mapping.toml writes it):\n\n{look.mapping}", end="")


def _try_out(mapping: Path, file: Path | None, records: int, settings: "Settings", *, as_json: bool) -> None:
    from bridgecart_assets.commands.inspect.dry_run import dry_run
    from bridgecart_assets.commands.inspect.text import print_dry_run, too_many_rejects

    tried = dry_run(mapping, file, records, settings)
    if as_json:
        print(json.dumps(tried.to_json(), indent=2))
    else:
        print_dry_run(tried, settings)
    if (complaint := too_many_rejects(tried, settings)) is not None:
        say_aside(complaint)
        sys.exit(CHECK_FAILED)


def _write(look: "Look", target: Path) -> None:
    if look.mapping is None:
        raise click.UsageError(f"there is no mapping to write to {target}: see what is said of the records.")
    # "x": one that came meanwhile stays too.
    with target.open("x", encoding="utf-8") as file:
        file.write(look.mapping)
    say_aside(f"{target} is written. Read it, then try it: bridgecart inspect --mapping {target}")
