"""`bridgecart move`: options and words; `move_tables.py` does it."""

import json
from dataclasses import asdict

import click

from bridgecart_assets.commands.console import progress, stdout_console, table_with


@click.command()
@click.option(
    "--to",
    "engine",
    type=click.Choice(["duckdb", "spark"]),
    required=True,
    help="spark: into Iceberg tables; duckdb: back into the file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the tables as JSON.")
def move(*, engine: str, as_json: bool) -> None:
    """Move the tables that grow with orders and customers into the lake, or back into the file.

    Each is compared with what it was by a digest of its rows, and nothing is moved unless all are the same. Then set
    BRIDGECART_ENGINE to the same word.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.move_tables import move_tables

    settings = load_settings()
    with progress() as (_, step):
        moved = move_tables(settings, engine, progress=step)
    if as_json:
        print(json.dumps([asdict(table) for table in moved], indent=2))
        return
    shown = table_with("table", "rows>", "digest")
    for table in moved:
        shown.add_row(table.table, f"{table.rows:,}", table.digest)
    stdout_console().print(shown)
    if settings.engine != engine:
        print(f"Now set BRIDGECART_ENGINE={engine}.")
