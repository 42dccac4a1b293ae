"""An end to runs that hang: none takes longer than BRIDGECART_MAX_RUN_MINUTES.

A run of the sensor is ended by Dagster's run monitoring, which goes by a tag. That asks the run's process to end, and
one that hangs in a library does not hear it: it would hold the warehouse for ever. And a command has no monitor. So
every run's process watches itself, too, and ends at once, as by kill -9: what was not committed has not happened.
"""

import faulthandler
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Timer

from bridgecart_assets.processes.run_lock import CLI_LAUNCHER, LAUNCHER_TAG

MAX_RUNTIME_TAG = "dagster/max_runtime"
# Dagster looks every ten seconds, and a run that it has cancelled may need some time.
GRACE_SECONDS = 60.0
FAILED = 1
_SHOW_CURSOR = "\033[?25h"


def max_runtime(minutes: float) -> Mapping[str, str]:
    """The tag by which Dagster ends a run."""
    return {MAX_RUNTIME_TAG: str(max(1, round(minutes * 60)))}


@contextmanager
def ended_in_time(minutes: float, tags: Mapping[str, str]) -> Iterator[None]:
    """End this process when the block, a run with these tags, takes longer than that many minutes."""
    has_monitor = tags.get(LAUNCHER_TAG) != CLI_LAUNCHER
    timer = Timer(minutes * 60 + (GRACE_SECONDS if has_monitor else 0), _end, (minutes, has_monitor))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(minutes: float, has_log: bool) -> None:
    if has_log:
        # Where it hangs.
        faulthandler.dump_traceback(sys.__stderr__ or sys.stderr)
    # A progress bar hides the cursor.
    sys.stderr.write(
        f"{_SHOW_CURSOR if sys.stderr.isatty() else ''}bridgecart: The run has taken longer than "
        f"BRIDGECART_MAX_RUN_MINUTES ({minutes:g}) and was ended; nothing is half done: run again, or raise that "
        "setting if it was at work all the time.\n"
    )
    sys.stderr.flush()
    os._exit(FAILED)
