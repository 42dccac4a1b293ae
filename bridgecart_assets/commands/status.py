"""`bridgecart status`: options, and the lines of `status_text.py` on a terminal."""

import json
import shutil
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import click

from bridgecart_assets.commands.console import stdout_console

if TYPE_CHECKING:
    from bridgecart_assets.base.settings import Settings

WATCH_SECONDS = 2.0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
def status(*, as_json: bool, watch: bool) -> None:
    """Failed checks, sensor and daemon, a stuck batch first; then lag, last batch, age, rows.

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

    console = stdout_console()
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
