"""`bridgecart run`: options and words, the sentences about checks included; `run_pipeline.py` does it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.console import CHECK_FAILED, progress

if TYPE_CHECKING:
    from bridgecart_assets.commands.run_pipeline import FailOn, Summary


fail_on_option = click.option(
    "--fail-on",
    type=click.Choice(["error", "warn"]),
    default="error",
    show_default=True,
    help="The least severity of a failed check that makes the command fail.",
)


@click.command()
@click.option("--refit", is_flag=True, help="Fit the models now, not only when they are due.")
@click.option("--accept-model", is_flag=True, help="Take the proposed version of the segment model into force.")
@click.option("--full", is_flag=True, help="Rebuild every table of customers, not only what changed.")
@click.option(
    "--remap",
    is_flag=True,
    help="Read every batch from raw again, as after a changed setting, and fit the models as in a new warehouse.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@fail_on_option
@click.option(
    "--summary",
    "summary_files",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="Add a Markdown summary to this file; to one that ends in .xml, write JUnit XML. May be given twice.",
)
def run(
    *,
    refit: bool,
    accept_model: bool,
    full: bool,
    remap: bool,
    as_json: bool,
    fail_on: "FailOn",
    summary_files: tuple[Path, ...],
) -> None:
    """Take in everything up to the topic's end, refresh everything, check everything. For cron and CI.

    Exits with 3 when a check failed: one of ERROR severity, or with --fail-on warn any. docs/ci.md has a recipe for
    pull requests.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.ci_summary import summarised
    from bridgecart_assets.commands.run_alerts import watched
    from bridgecart_assets.commands.run_pipeline import run_everything
    from bridgecart_assets.models.due import RefitMode

    if remap and accept_model:
        raise click.UsageError("--remap and --accept-model exclude each other: no version of the models is left then.")
    if refit and accept_model:
        raise click.UsageError("--refit and --accept-model exclude each other: a refit may make another proposal.")
    mode = RefitMode.NOW if refit else RefitMode.ACCEPT if accept_model else RefitMode.WHEN_DUE
    settings = load_settings()
    with (
        watched("run", settings, say=lambda line: print(line, file=sys.stderr)),
        summarised(summary_files, settings) as summary,
        progress() as (counted, step),
    ):
        run_everything(
            settings,
            refit=mode,
            full=full,
            remap=remap,
            progress=step,
            remapped=lambda done, of: counted(done, of, "reading batches from raw"),
            summary=summary,
        )
    if as_json:
        print(json.dumps(summary.to_json(), indent=2))
    else:
        print_summary(summary)
    exit_on_failed_checks(summary, fail_on)


def print_summary(summary: "Summary") -> None:
    """Records by their end, then the model and the checks."""
    print(f"{len(summary.batches)} batch(es): {summary.records:,} records = {' + '.join(summary.ends())}.")
    print_checks(summary)


def print_checks(summary: "Summary") -> None:
    """The decision about the segment model, and a line for each failed check."""
    print(f"Segment model: {summary.model}.")
    checks = len(summary.results)
    print(f"{checks - len(summary.failed_checks)} of {checks} checks passed.")
    for check in summary.failed_checks:
        print(f"{check.severity:5} {check.asset} {check.check}: {check.says}")


def exit_on_failed_checks(summary: "Summary", fail_on: "FailOn" = "error") -> None:
    """Exit with 3 where a check failed that is this severe."""
    if summary.fails_on(fail_on):
        sys.exit(CHECK_FAILED)
