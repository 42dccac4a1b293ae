"""`bridgecart export`: options and words; `export_file.py` does it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.export_tools import TOOLS
from bridgecart_assets.contracts.lifecycles import LIFECYCLES

if TYPE_CHECKING:
    from bridgecart_assets.commands.export_file import Format


@click.command()
@click.option("--segment", "segments", multiple=True, help="Key of a segment (S02); may be given more than once.")
@click.option(
    "--lifecycle",
    "lifecycles",
    multiple=True,
    type=click.Choice(LIFECYCLES),
    help="Stage of the customers; may be given more than once.",
)
@click.option("--at-risk", is_flag=True, help="Only those at risk.")
@click.option("--top", type=click.IntRange(min=1), help="Of them, so many with the highest predicted value.")
@click.option("--hashed", is_flag=True, help="SHA-256 of the ids instead of the ids.")
@click.option("--for", "tool", type=click.Choice(list(TOOLS)), help="The columns that this tool takes, by its names.")
@click.option(
    "--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True, help="Of the file."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="File to write.  [default: customers.csv or customers.parquet, here]",
)
def export(
    *,
    segments: tuple[str, ...],
    lifecycles: tuple[str, ...],
    at_risk: bool,
    top: int | None,
    hashed: bool,
    tool: str | None,
    form: "Format",
    output: Path | None,
) -> None:
    """Write the customers of an audience, or all, with segment, value and risk to a file.

    Options of different kinds hold together, of several segments or lifecycles any. For mailing and advertising tools,
    spreadsheets and notebooks; docs/tools.md says what two tools take. Names and numbers to call stay in the warehouse
    (silver.customers).
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.export_file import Audience, Shape, export_customers

    target = output or Path(f"customers.{form}")
    audience = Audience(segments, lifecycles, at_risk=at_risk, top=top)
    shape = Shape(form, hashed=hashed, tool=TOOLS[tool] if tool else None)
    written = export_customers(load_settings(), audience, shape, target)
    # Into a pipe or a device, like /dev/stdout, go customers only.
    told = sys.stdout if target.is_file() else sys.stderr
    print(f"{written.customers:,} customers written to {target}.", file=told)
    if top and written.unpredicted:
        print(
            f"{written.unpredicted:,} of them have no predicted value: these were chosen by their net sales so far, "
            "after those who have one.",
            file=told,
        )
