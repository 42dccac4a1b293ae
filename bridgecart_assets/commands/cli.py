"""The `bridgecart` command: options in, tables and one-line errors out.

Exit codes: 0 all good, 1 something failed (one line says what), 2 wrong usage, 3 a check of ERROR severity failed,
130 stopped by Ctrl-C, 143 by SIGTERM.
"""

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from bridgecart_assets.base.errors import BridgeCartError, refusal
from bridgecart_assets.processes.interrupts import interrupt_on_signals, interrupts
from bridgecart_assets.processes.streams import ReaderGone, standard_streams

if TYPE_CHECKING:
    from rich.console import Console

    from bridgecart_assets.base.settings import Settings
    from bridgecart_assets.commands.doctor_findings import Finding
    from bridgecart_assets.commands.evaluate_world import Evaluation
    from bridgecart_assets.commands.export_file import Format
    from bridgecart_assets.commands.run_pipeline import FailOn, Summary
    from bridgecart_assets.models.evaluation import Calibration
    from bridgecart_assets.orchestration.status import KpiRow

FAILED = 1
CHECK_FAILED = 3
# A shell adds the number of the signal: 130 after Ctrl-C, 143 after SIGTERM.
STOPPED = 128
WATCH_SECONDS = 2.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bridgecart")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(*, debug: bool) -> None:
    """Orders from a Kafka topic become customer segments and four KPIs per segment.

    Settings are BRIDGECART_* variables; docs/configuration.md lists them. Without BRIDGECART_KAFKA_BOOTSTRAP_SERVERS,
    `demo`, `replay` and `up` bring a broker of their own.

    Exit codes: 0 all good, 1 something failed, 2 wrong usage, 3 a check of ERROR severity failed, 130 and 143 stopped
    by Ctrl-C and SIGTERM.
    """
    click.get_current_context().obj = {"debug": debug}
    for warning in _warnings():
        print(f"bridgecart: warning: {warning}", file=sys.stderr)


def _warnings() -> list[str]:
    """What is wrong with the environment and stops nothing."""
    from bridgecart_assets.base.settings import unknown_variables

    return unknown_variables(os.environ)


def main() -> None:
    """Run the command line; expected failures are one line, everything else is a bug and shows itself as one."""
    with standard_streams(), interrupts() as interrupted_by, interrupt_on_signals():
        try:
            _load_env_file()
            _run_to_the_last_line()
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            context = getattr(error, "ctx", None)
            hint = f" See `{context.command_path} --help`." if context else ""
            _complain(f"bridgecart: {error.format_message()}{hint}", error.exit_code)
        except SystemExit:
            raise
        except (click.Abort, KeyboardInterrupt):
            _stop(interrupted_by())
        except BaseException as error:
            # What Ctrl-C or SIGTERM hit may have failed with an error of its own.
            if interrupted_by():
                _stop(interrupted_by())
            _explain(refusal(error) or error if isinstance(error, OSError) else error)
            raise


def _explain(error: BaseException) -> None:
    """End with the line of an expected failure."""
    if not isinstance(error, BridgeCartError):
        return
    if "--debug" in sys.argv:
        print(getattr(error, "details", ""), file=sys.stderr)
        traceback.print_exc()
    if isinstance(error, ReaderGone):
        sys.exit(error.exit_code)
    _complain(f"bridgecart: {error}{_what_would_be_missing(error)}", getattr(error, "exit_code", FAILED))


def _what_would_be_missing(error: BridgeCartError) -> str:
    """What a warehouse built again would lack, where that is the advice."""
    if not error.is_mended_by_topic:
        return ""
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.doctor_deep import what_the_topic_has

    return f" {what_the_topic_has(load_settings())}"


def _run_to_the_last_line() -> None:
    if any("\udc80" <= character <= "\udcff" for argument in sys.argv[1:] for character in argument):
        raise click.UsageError("an argument is not valid UTF-8")
    try:
        cli(prog_name="bridgecart", standalone_mode=False)
    finally:
        sys.stdout.flush()


def _load_env_file() -> None:
    from bridgecart_assets.base.env_file import load_env_file

    for name in load_env_file(Path.cwd()):
        print(f"bridgecart: {name} is set in .env and otherwise in the environment: .env counts.", file=sys.stderr)


def _stop(by: signal.Signals | None) -> NoReturn:
    _complain("Stopped.", STOPPED + (by or signal.SIGINT))


def _complain(line: str, exit_code: int) -> NoReturn:
    print(line, file=sys.stderr)
    sys.exit(exit_code)


@cli.command()
@click.option("--orders", default=100_000, show_default=True, help="Number of made-up purchases.")
@click.option("--seed", default=7, show_default=True, help="Same seed, same orders.")
def demo(*, orders: int, seed: int) -> None:
    """Everything at once: a broker, 18 months of made-up orders, the pipeline, the KPIs."""
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.demo_world import run_demo
    from bridgecart_assets.orchestration.status import kpi_rows
    from bridgecart_assets.synthetic import WorldConfig

    with _usage_errors():
        config = WorldConfig(seed=seed, orders=orders)
    console = _console()
    with _progress() as (sent, step):
        outcome = run_demo(config, sent=lambda count: sent(count, orders), progress=step)
    manifest = outcome.manifest
    print(
        f"{manifest.events:,} events sent = {outcome.summary.orders:,} orders and refunds"
        f" + {outcome.summary.duplicates:,} duplicates + {outcome.summary.rejected:,} rejected."
    )
    print(
        f"{manifest.customers:,} customers, {manifest.repeat_share:.0%} with repeat orders."
        f" Sales {outcome.kpi_sales:,.2f} in the events, in silver and in the KPIs."
    )
    _print_summary(outcome.summary)
    _print_kpis(console, kpi_rows(load_settings().published_dir), period=None)
    print("Next: `bridgecart report --open` shows more of the figures, `bridgecart up` opens the Dagster UI.")
    _exit_on_failed_checks(outcome.summary)


@cli.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address on which the Dagster UI listens. It has no login: 0.0.0.0 lets everybody in.",
)
@click.option("--port", default=3000, type=click.IntRange(1, 65_535), show_default=True, help="Port of the Dagster UI.")
@click.option(
    "--rate",
    default=5.0,
    type=click.FloatRange(min=0),
    show_default=True,
    help="Made-up orders a second (embedded broker); 0: none.",
)
def up(*, host: str, port: int, rate: float) -> None:
    """Dagster UI with the sensor on, and the report; without a configured broker also a broker and live orders."""
    from bridgecart_assets.commands.up_servers import serve
    from bridgecart_assets.processes.listening import Listener

    serve(Listener(host, port), orders_per_second=rate, say=lambda line: print(line, flush=True))


@cli.command()
@click.option("--refit", is_flag=True, help="Fit the models now, not only when they are due.")
@click.option("--accept-model", is_flag=True, help="Take the proposed version of the segment model into force.")
@click.option("--full", is_flag=True, help="Make every table of customers anew, not only what changed.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warn"]),
    default="error",
    show_default=True,
    help="The least severity of a failed check that makes the command fail.",
)
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

    if refit and accept_model:
        raise click.UsageError("--refit and --accept-model exclude each other: a refit may make another proposal.")
    mode = RefitMode.NOW if refit else RefitMode.ACCEPT if accept_model else RefitMode.WHEN_DUE
    settings = load_settings()
    with (
        watched("run", settings, say=lambda line: print(line, file=sys.stderr)),
        summarised(summary_files, settings) as summary,
        _progress() as (_, step),
    ):
        run_everything(settings, refit=mode, full=full, progress=step, summary=summary)
    if as_json:
        print(json.dumps(summary.to_json(), indent=2))
    else:
        _print_summary(summary)
    _exit_on_failed_checks(summary, fail_on)


@cli.command()
@click.argument("customer_ids", metavar="CUSTOMER_ID...", nargs=-1, required=True, help="Ids as in the events.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def forget(*, customer_ids: tuple[str, ...], as_json: bool) -> None:
    """Erase customers: from every table and published file, and from records that are read again.

    Their value at the opening of the current period becomes `removed` in the CLV bridge. There is no way back.
    """
    from dataclasses import asdict

    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.forget_customers import LEFT
    from bridgecart_assets.commands.forget_customers import forget as forget_customers

    with _progress() as (_, step):
        done = forget_customers(load_settings(), customer_ids, progress=step)
    erasure, summary = done.erasure, done.summary
    if as_json:
        print(json.dumps({**asdict(erasure), **summary.checks_to_json(), "left": LEFT}, indent=2))
    else:
        print(
            f"{erasure.customers:,} customer(s) forgotten: {erasure.records:,} records erased, of these"
            f" {erasure.orders:,} orders, {erasure.duplicates:,} duplicates, {erasure.rejected:,} rejected."
        )
        _print_checks(summary)
        print(LEFT)
    _exit_on_failed_checks(summary)


@cli.command()
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


@cli.command()
def announce() -> None:
    """Send who entered, moved or left which segment to a Kafka topic, each change once.

    The topic is BRIDGECART_SEGMENT_CHANGES_TOPIC; the first time everybody enters. In the Dagster UI the sensor
    segment_changes_sensor, off by default, does so after every batch.
    """
    from bridgecart_assets.orchestration.resources import Platform

    platform = Platform()
    sent = platform.announce_segments()
    print(f"{sent:,} changes of segments sent to topic {platform.settings.segment_changes_topic}.")


@cli.command()
@click.option("--orders", default=100_000, show_default=True, help="Purchases in the world's history.")
@click.option("--seed", default=7, show_default=True, help="Same seed, same orders.")
@click.option("--live", is_flag=True, help="Go on with live orders; history is sent only if the warehouse has none.")
@click.option("--rate", default=5.0, show_default=True, help="Live orders a second.")
def generate(*, orders: int, seed: int, live: bool, rate: float) -> None:
    """Send made-up orders to the topic: 18 months of history, with --live also what follows."""
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.generate_orders import send_history, send_live
    from bridgecart_assets.orchestration.resources import Platform
    from bridgecart_assets.orchestration.status import data_clock
    from bridgecart_assets.synthetic import WorldConfig, simulate

    with _usage_errors():
        config = WorldConfig(seed=seed, orders=orders)
        if rate <= 0:
            raise ValueError(f"--rate must be positive, got {rate:g}")
    connection = Platform().kafka
    world = simulate(config)
    clock = data_clock(load_settings()) if live else None
    if clock is None:
        with _progress() as (sent, _):
            count = send_history(connection, world, lambda done: sent(done, orders))
        print(f"{count:,} events sent to topic {connection.topic}.", flush=True)
    if live:
        after = max(clock, config.end) if clock else config.end
        count = send_live(connection, world, after=after, per_second=rate, report=lambda _: None)
        print(f"The world ends here: {count:,} live events sent.")


@cli.group()
def replay() -> None:
    """Real orders of a published purchase log, through Kafka and the whole pipeline."""


@replay.command()
def cdnow() -> None:
    """CDNOW: all that 2,357 customers of early 1997 bought until June 1998.

    Uses the configured broker, else one of its own. Refuses a data directory or topic that holds other orders. Run
    twice, it sends everything twice, and every order still counts once. BRIDGECART_AS_OF looks at an earlier day.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.replay_log import run_replay
    from bridgecart_assets.orchestration.status import kpi_rows
    from bridgecart_assets.sources.purchase_logs.cdnow import read_cdnow

    log = read_cdnow()
    console = _console()
    with _progress() as (_, step):
        summary = run_replay(log, progress=step)
    print(
        f"{log.name}: {len(log.orders):,} orders of {log.customers:,} customers, {log.orders[0].ordered_at:%Y-%m-%d} to"
        f" {log.orders[-1].ordered_at:%Y-%m-%d}. Sales {log.sales:,.2f} in the log and in silver."
    )
    _print_summary(summary)
    if summary.duplicates:
        print("Duplicates are orders of an earlier replay: none is counted twice.")
    _print_kpis(console, kpi_rows(load_settings().published_dir), period=None)
    print("Next: `bridgecart up --rate 0` opens the Dagster UI and adds no made-up orders.")
    _exit_on_failed_checks(summary)


@cli.command()
@click.option("--customers", default=100_000, show_default=True, help="Customers in the world's history, about.")
@click.option("--orders", type=int, help="Purchases in the world's history, instead of --customers.")
@click.option("--seed", default=7, show_default=True, help="Same seed, same orders.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def evaluate(*, customers: int, orders: int | None, seed: int, as_json: bool) -> None:
    """Segments and predictions of a made-up world against its truth and what its customers bought next.

    Works in a temporary warehouse: no broker, and nothing in the data directory is read or written.
    """
    from bridgecart_assets.commands import evaluate_world as evaluating
    from bridgecart_assets.synthetic import WorldConfig

    with _usage_errors():
        config = WorldConfig(seed=seed, orders=customers * evaluating.ORDERS_A_CUSTOMER if orders is None else orders)
    console = _console()
    with _progress() as (_, step):
        evaluation = evaluating.evaluate(config, progress=step)
    if as_json:
        print(json.dumps(evaluation.to_json(), indent=2))
    else:
        _print_evaluation(console, evaluation)


def _print_evaluation(console: "Console", evaluation: "Evaluation") -> None:
    from bridgecart_assets.orchestration.status import percent

    print(f"World of seed {evaluation.seed}: {evaluation.orders:,} orders of {evaluation.customers:,} customers.")
    table = _table("Segments against personas", "Segments>", "Adjusted Rand index>")
    for recovery in evaluation.recovery:
        table.add_row(recovery.method, str(recovery.segments), f"{recovery.adjusted_rand_index:.3f}")
    console.print(table)
    table = _table("Probability of", "Predicted>", "Actual>", "Calibration error>", "AUC>")
    table.add_row("still being alive", *_calibration_cells(evaluation.alive))
    for held_out in evaluation.holdouts:
        table.add_row(f"no purchase in {held_out.days} days", *_calibration_cells(held_out.silence))
    console.print(table)
    for held_out in evaluation.holdouts:
        for what, forecasts in (("Purchase days", held_out.purchases), ("Sales", held_out.sales)):
            table = _table(f"{what} in {held_out.days} days", "Total>", "Error>", "Per customer>", "Rank corr.>")
            table.add_row("actual", f"{forecasts[0].actual:,.0f}", "", "", "")
            for each in forecasts:
                table.add_row(
                    each.method,
                    f"{each.predicted:,.0f}",
                    percent(each.error, signed=True),
                    f"{each.customer_error:,.2f}",
                    "-" if each.rank_correlation is None else f"{each.rank_correlation:.3f}",
                )
            console.print(table)
    stability = evaluation.stability
    table = _table("Share of customers whose segment", "Share>")
    table.add_row(
        f"stays with other seeds and row orders (worst of {len(stability.reseeded)})", _exact(stability.worst)
    )
    table.add_row("is the same under a refit 30 days later", _exact(stability.refitted))
    table.add_row("is the same 30 days later, with their new orders", _exact(stability.stayed))
    table.add_row("in SQL is the one that scikit-learn predicts", _exact(stability.predicted))
    console.print(table)
    if not stability.refit_is_settled:
        print("The refit would have waited for a person: segments changed their meaning.")


def _calibration_cells(score: "Calibration") -> tuple[str, str, str, str]:
    auc = "-" if score.auc is None else f"{score.auc:.3f}"
    return f"{score.predicted:.1%}", f"{score.actual:.1%}", f"{score.error:.3f}", auc


def _exact(share: float) -> str:
    """A share of which the last missing customer shows."""
    return f"{share:.4%}" if share < 1 else "100%"


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
def status(*, as_json: bool, watch: bool) -> None:
    """What needs a hand first: failed checks, sensor and daemon, stuck batch; then lag, last batch, age, rows.

    On a terminal no more than fits on it; --json has everything, with times.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.orchestration.status import read_status

    if watch and as_json:
        raise click.UsageError("--watch and --json exclude each other.")
    settings = load_settings()
    if as_json:
        print(json.dumps(read_status(settings).to_json(), indent=2))
        return
    if watch:
        _watch(settings)
    print(*_status_lines(settings), sep="\n")


def _watch(settings: "Settings") -> NoReturn:
    from rich.live import Live
    from rich.text import Text

    console = _console()
    if not console.is_terminal:
        raise click.UsageError("--watch needs a terminal; a script reads --json.")
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(Text("\n".join(_status_lines(settings))), refresh=True)
            time.sleep(WATCH_SECONDS)


def _status_lines(settings: "Settings") -> list[str]:
    """The state, on a terminal as much as fits on it with a line for the prompt."""
    from bridgecart_assets.commands.status_text import status_lines
    from bridgecart_assets.orchestration.status import read_status

    state = read_status(settings)
    if not sys.stdout.isatty():
        return status_lines(state)
    size = shutil.get_terminal_size()
    return status_lines(state, width=size.columns, height=size.lines - 1)


@cli.command()
@click.option("--repair", is_flag=True, help="Mend what is safe to mend; no row is changed.")
@click.option("--deep", is_flag=True, help="Before that, read every block of the warehouse and every published file.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def doctor(*, repair: bool, deep: bool, as_json: bool) -> None:
    """Compare ledger, Dagster's records, consumer group and topic; a line for each disagreement.

    --deep finds damage that no run meets. Where the warehouse is damaged, nothing is compared or mended.

    Exits with 1 when something is left that needs a hand. Notes do not count.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands import doctor_findings as doctors

    settings = load_settings()
    damage = _read_everything(settings) if deep else []
    mended: list[doctors.Finding] = []
    found = damage
    if not any(finding.where == "warehouse" for finding in damage):
        if repair:
            mended, found = doctors.repair(settings, progress=_say_aside)
        else:
            found = doctors.examine(settings)
        found = [*damage, *found]
    if as_json:
        print(json.dumps({"mended": [f.to_json() for f in mended], "found": [f.to_json() for f in found]}, indent=2))
    else:
        for finding in mended:
            print(f"mended     {finding.where}: {finding.says}")
        for finding in found:
            print(f"{'note' if finding.is_note else 'look here':10} {finding}")
        if not any(not finding.is_note for finding in found):
            print("Ledger, registry, event log, runs, consumer group and topic agree.")
    if any(not finding.is_note for finding in found):
        sys.exit(FAILED)


def _read_everything(settings: "Settings") -> "list[Finding]":
    from bridgecart_assets.commands.doctor_deep import read_everything

    with _progress() as (counted, _):
        return read_everything(settings, progress=lambda done, total, what: counted(done, total, f"reading {what}"))


@cli.command()
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@click.option("--serve", "serves", is_flag=True, help="Write nothing: serve what refreshes write, until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --serve: address on which it listens.")
@click.option("--port", default=3001, type=click.IntRange(1, 65_535), show_default=True, help="With --serve: its port.")
def report(*, opens: bool, serves: bool, host: str, port: int) -> None:
    """Write the report anew: KPIs, segments, churn, models and the pipeline's health on one web page.

    Every refresh does so too. The file needs no network and no server: it may be sent to whom it may concern.
    `bridgecart up` serves it; --serve is for where Dagster runs without `up`. It has no login, as `up` has none.
    """
    import webbrowser

    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.orchestration.status import health_of
    from bridgecart_assets.report.writing import write_report

    settings = load_settings()
    if serves:
        from bridgecart_assets.commands.report_server import serve_report
        from bridgecart_assets.processes.listening import Listener

        serve_report(settings, Listener(host, port), say=lambda line: print(line, flush=True))
    written = write_report(settings, health_of(settings).for_report()).resolve()
    print(f"Report: {written}")
    if opens and not webbrowser.open(written.as_uri()):
        raise BridgeCartError(f"No browser opened: open {written.as_uri()} in one.")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="All periods and segments as a list of objects.")
@click.option("--period", help="Opening date of the period to show, YYYY-MM-DD; default: the latest complete one.")
def kpis(*, as_json: bool, period: str | None) -> None:
    """The four KPIs by segment."""
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.orchestration.status import kpi_rows

    rows = kpi_rows(load_settings().published_dir)
    if as_json:
        print(json.dumps([row for row in rows if period in (None, row["period"])], indent=2))
    else:
        _print_kpis(_console(), rows, period=period)


def _print_kpis(console: "Console", rows: Sequence["KpiRow"], *, period: str | None) -> None:
    from bridgecart_assets.orchestration.status import latest_churn, latest_period, percent

    if not rows:
        print("No KPIs yet: no order has been accepted.")
        return
    periods = sorted({row["period"] for row in rows})
    if period is not None and period not in periods:
        raise click.UsageError(f"no period opens on {period}; the data has {periods[0]} to {periods[-1]}")
    complete = {row["period"] for row in rows if row["is_complete"]}
    shown = period or latest_period(rows) or periods[-1]
    matured, churn = latest_churn(rows, shown)
    table = _table("Segment", "Customers>", "CLV growth>", "Churn*>", "Avg order>", "Share of sales>")
    for row in rows:
        if row["period"] == shown:
            table.add_row(
                row["segment"] if row["segment_key"] == "unassigned" else f"{row['segment_key']} {row['segment']}",
                f"{row['customers']:,}",
                percent(row["clv_growth"], signed=True),
                percent(churn.get(row["segment_key"])),
                "-" if row["average_order_value"] is None else f"{row['average_order_value']:,.2f}",
                percent(row["sales_contribution"]),
            )
    open_note = "" if shown in complete else ", still open"
    print(f"KPIs by segment, period from {shown}{open_note}")
    console.print(table)
    when = (
        f"of the period from {matured}, the latest whose window is over"
        if matured
        else "of this period exists once its window is over"
    )
    print(
        f"* The churn rate {when}: of those active when it opened.\n"
        "  Customers: at the opening. unassigned: who had no segment then, newcomers included."
    )


def _print_summary(summary: "Summary") -> None:
    print(
        f"{len(summary.batches)} batch(es): {summary.records:,} records = {summary.orders:,} orders"
        f" + {summary.duplicates:,} duplicates + {summary.rejected:,} rejected."
    )
    _print_checks(summary)


def _print_checks(summary: "Summary") -> None:
    print(f"Segment model: {summary.model}.")
    checks = len(summary.results)
    print(f"{checks - len(summary.failed_checks)} of {checks} checks passed.")
    for check in summary.failed_checks:
        print(f"{check.severity:5} {check.asset} {check.check}: {check.says}")


def _exit_on_failed_checks(summary: "Summary", fail_on: "FailOn" = "error") -> None:
    if summary.fails_on(fail_on):
        sys.exit(CHECK_FAILED)


def _say_aside(line: str) -> None:
    print(f"bridgecart: {line}", file=sys.stderr, flush=True)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 100)


def _table(*headings: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading.rstrip(">"), justify="right" if heading.endswith(">") else "left")
    return table


@contextmanager
def _progress() -> Iterator[tuple[Any, Any]]:
    """A bar for sent records, with rate and remaining time, and a line per step; on a terminal, on standard error."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Records a second, once there are any."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f}/s" if task.speed else "")

    what = (SpinnerColumn(), TextColumn("{task.description}"))
    records = Progress(*what, BarColumn(20), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    steps = Progress(*what, TimeElapsedColumn())
    sending = records.add_task("sending orders", total=None, visible=False)
    working = steps.add_task("", total=None, visible=False)

    def sent(count: int, total: int, what: str = "sending orders") -> None:
        records.update(sending, description=what, completed=count, total=max(count, total), visible=True)

    def step(description: str) -> None:
        steps.update(working, description=description, visible=True)

    stderr = Console(stderr=True)
    if not stderr.is_terminal:
        yield sent, step
        return
    with Live(Group(records, steps), console=stderr, transient=True):
        yield sent, step


@contextmanager
def _usage_errors() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None
