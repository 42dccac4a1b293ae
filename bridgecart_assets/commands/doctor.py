"""`bridgecart doctor`: options and words; `doctor_findings.py` and `doctor_deep.py` do it."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.console import FAILED, progress, say_aside

if TYPE_CHECKING:
    from bridgecart_assets.base.settings import Settings
    from bridgecart_assets.commands.doctor_findings import Finding


@click.command()
@click.option("--repair", is_flag=True, help="Mend what is safe to mend; no row is changed.")
@click.option("--deep", is_flag=True, help="Before that, read every block of the warehouse and every published file.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def doctor(*, repair: bool, deep: bool, as_json: bool) -> None:
    """Compare ledger, Dagster's records, consumer group and topic; a line for each disagreement.

    --deep finds damage that no run meets. Where the warehouse is damaged, nothing is compared or mended.

    Exits with 1 when something is left that needs a hand. Notes do not count.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands import doctor_findings

    settings = load_settings()
    damage = _read_everything(settings) if deep else []
    mended: list[Finding] = []
    found = damage
    if not any(finding.where == "warehouse" for finding in damage):
        if repair:
            mended, found = doctor_findings.repair(settings, progress=say_aside)
        else:
            found = doctor_findings.examine(settings)
        found = [*damage, *found]
    if as_json:
        print(json.dumps({"mended": [f.to_json() for f in mended], "found": [f.to_json() for f in found]}, indent=2))
    else:
        _print_findings(mended, found)
    if any(not finding.is_note for finding in found):
        sys.exit(FAILED)


def _print_findings(mended: "Sequence[Finding]", found: "Sequence[Finding]") -> None:
    for finding in mended:
        print(f"mended     {finding.where}: {finding.says}")
    for finding in found:
        print(f"{'note' if finding.is_note else 'look here':10} {finding}")
    if all(finding.is_note for finding in found):
        print("Ledger, registry, event log, runs, consumer group and topic agree.")


def _read_everything(settings: "Settings") -> "list[Finding]":
    from bridgecart_assets.commands.doctor_deep import read_everything

    with progress() as (counted, _):
        return read_everything(settings, progress=lambda done, total, what: counted(done, total, f"reading {what}"))
