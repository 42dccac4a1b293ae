"""`bridgecart inspect`: options and words; the modules `inspect_*.py` do it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.console import stdout_console, table_with

if TYPE_CHECKING:
    from bridgecart_assets.base.settings import Settings
    from bridgecart_assets.commands.inspect_look import Look
    from bridgecart_assets.commands.inspect_records import Records

MOST_RECORDS = 1_000_000


@click.command()
@click.option(
    "--records",
    type=click.IntRange(1, MOST_RECORDS),
    default=1_000,
    show_default=True,
    help="How many to look at: the newest of the topic.",
)
@click.option(
    "--write",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the proposed mapping to; one that is there stays.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def inspect(*, records: int, target: Path | None, as_json: bool) -> None:
    """Look at records of the topic: their form, their paths with masked examples, and a mapping for them.

    Nothing is stored or committed, and no group is joined. Examples show the shape of a value, never its content.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.inspect_look import look_at

    if target is not None and target.exists():
        raise click.UsageError(f"{target} is there already and stays: give --write another name.")
    settings = load_settings()
    look = look_at(_records(settings, records), settings)
    if as_json:
        print(json.dumps(look.to_json(), indent=2))
    else:
        _print_look(look)
    if target is not None:
        _write(look, target)
    elif look.mapping is not None and not as_json:
        print(f"\nThe mapping that it may need (--write mapping.toml writes it):\n\n{look.mapping}", end="")


def _records(settings: "Settings", records: int) -> "Records":
    from bridgecart_assets.commands.inspect_records import records_of_topic

    return records_of_topic(settings, records)


def _print_look(look: "Look") -> None:
    print(f"{look.records:,} records of {look.source}")
    print(f"values: {look.values.text}\nkeys:   {look.keys.text}")
    if look.shape is not None:
        preset = f' (preset = "{look.shape.preset}")' if look.shape.preset else ": it needs no mapping"
        print(f"It looks like {look.shape.meaning}{preset}.")
    if look.remedy is not None:
        print(f"! {look.remedy}")
    table = table_with("Path", "Type", "Filled>", "Example, masked")
    for path in look.paths:
        table.add_row(path.name, path.type, f"{look.share(path):.0%}", path.example)
    if look.paths:
        stdout_console().print(table)


def _write(look: "Look", target: Path) -> None:
    if look.mapping is None:
        raise click.UsageError(f"there is no mapping to write to {target}: see what is said of the records.")
    # "x": one that came meanwhile stays too.
    with target.open("x", encoding="utf-8") as file:
        file.write(look.mapping)
    click.echo(f"Written to {target}. Read it, then try it: bridgecart inspect --mapping {target}", err=True)
