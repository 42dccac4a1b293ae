"""`bridgecart export`: options and words; `export_file.py` does it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bridgecart_assets.commands.export_file import Format


@click.command()
@click.option("--segment", "segments", multiple=True, help="Key of a segment (S02); may be given more than once.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True, help="Of the file."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File to write.  [default: customers.csv or customers.parquet, here]",
)
def export(*, segments: tuple[str, ...], form: "Format", output: Path | None) -> None:
    """Write the customers of segments, or of all, with segment, value and risk to a file.

    For mailing tools, spreadsheets and notebooks. Names and numbers to call stay in the warehouse (silver.customers).
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.export_file import export_customers

    target = output or Path(f"customers.{form}")
    count = export_customers(load_settings(), segments, form, target)
    # Into a pipe or a device, like /dev/stdout, go customers only.
    print(f"{count:,} customers written to {target}.", file=sys.stdout if target.is_file() else sys.stderr)
