"""The `bridgecart` command: the group of all commands, exit codes and one-line errors.

Each command is in the module, or the folder, of its name. It loads what it needs when it is called, so that help and
wrong usage do not wait for Dagster.

Exit codes: 0 all good, 1 something failed (one line says what), 2 wrong usage, 3 a check of ERROR severity failed,
130 stopped by Ctrl-C, 143 by SIGTERM.
"""

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import click

from bridgecart_assets.base.errors import BridgeCartError, refusal
from bridgecart_assets.commands.announce import announce
from bridgecart_assets.commands.backup import backup
from bridgecart_assets.commands.console import FAILED, STOPPED
from bridgecart_assets.commands.demo import demo
from bridgecart_assets.commands.doctor import doctor
from bridgecart_assets.commands.evaluate import evaluate
from bridgecart_assets.commands.export import export
from bridgecart_assets.commands.forget import forget
from bridgecart_assets.commands.generate import generate
from bridgecart_assets.commands.graph import graph
from bridgecart_assets.commands.import_ import import_
from bridgecart_assets.commands.inspect import inspect
from bridgecart_assets.commands.kpis import kpis
from bridgecart_assets.commands.move import move
from bridgecart_assets.commands.replay import replay
from bridgecart_assets.commands.report import report
from bridgecart_assets.commands.restore import restore
from bridgecart_assets.commands.run import run
from bridgecart_assets.commands.status import status
from bridgecart_assets.commands.tidy import tidy
from bridgecart_assets.commands.up import up
from bridgecart_assets.commands.withdraw import withdraw
from bridgecart_assets.processes.interrupts import interrupt_on_signals, interrupts
from bridgecart_assets.processes.memory import seek_garbage_rarely
from bridgecart_assets.processes.streams import ReaderGone, standard_streams


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


COMMANDS = (
    announce,
    backup,
    demo,
    doctor,
    evaluate,
    export,
    forget,
    generate,
    graph,
    import_,
    inspect,
    kpis,
    move,
    replay,
    report,
    restore,
    run,
    status,
    tidy,
    up,
    withdraw,
)
for command in COMMANDS:
    cli.add_command(command)


def _warnings() -> list[str]:
    """Mistakes in the environment that stop nothing."""
    from bridgecart_assets.base.settings import unknown_variables

    return unknown_variables(os.environ)


def main() -> None:
    """Run the command line; expected failures are one line, everything else is a bug and shows itself as one."""
    seek_garbage_rarely()
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
    """A sentence on what a warehouse built again would lack, where building it again is the advice."""
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
