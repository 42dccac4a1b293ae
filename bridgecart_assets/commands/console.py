"""Tables, progress and exit codes that the commands have in common."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FAILED = 1
CHECK_FAILED = 3
# A shell adds the number of the signal: 130 after Ctrl-C, 143 after SIGTERM.
STOPPED = 128

Step = Callable[[str], None]


class Sent(Protocol):
    """Records done, of how many, and what is done with them."""

    def __call__(self, count: int, total: int, what: str = "sending orders") -> None:
        """Show it."""


def say_aside(line: str) -> None:
    """A line on standard error, which leaves standard output to results."""
    print(f"bridgecart: {line}", file=sys.stderr, flush=True)


def stdout_console() -> "Console":
    """Standard output: as wide as the terminal, 100 columns where there is none."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 100)


def table_with(*headings: str) -> "Table":
    """A table of these columns; one whose heading ends in `>` is set to the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading.rstrip(">"), justify="right" if heading.endswith(">") else "left")
    return table


@contextmanager
def progress() -> Iterator[tuple[Sent, Step]]:
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
def usage_errors() -> Iterator[None]:
    """A ValueError of the block is wrong usage."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None
