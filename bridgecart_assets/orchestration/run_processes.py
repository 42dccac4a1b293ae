"""Processes of runs, forked from one that has imported what a run needs: a run starts two seconds of imports sooner.

That one is the fork server of Python's `multiprocessing`; it opens nothing and does nothing else.
"""

import logging
import multiprocessing
import os
import sys
import tempfile
from multiprocessing.context import BaseContext
from pathlib import Path

from bridgecart_assets.orchestration.location import MODULE
from bridgecart_assets.orchestration.storage.dagster_internals import INTERNALS
from bridgecart_assets.processes.supervised import dying_with

# The definitions last: garbage is not looked for in what was imported until then.
IMPORTED = (
    INTERNALS["DagsterApiServer"].module,
    "bridgecart_assets.orchestration.storage.sqlite_storage",
    # Dagster's instance needs the one, every batch with orders the other.
    "upath.core",
    "scipy.special",
    MODULE,
)


def run_processes(folder: Path, logger: logging.Logger) -> BaseContext:
    """Maker of the processes of runs; the fork server's socket is in this folder of the caller's own.

    Each run imports for itself where the folder's path is too long for a socket, and off Linux, where it is not safe
    to fork.
    """
    if sys.platform == "linux":
        from multiprocessing import forkserver

        tempfile.tempdir = str(folder)
        forkserver.set_forkserver_preload(list(IMPORTED))
        try:
            forkserver.ensure_running()
        except OSError as error:
            logger.info("Runs import for themselves, which takes seconds: no fork server (%s)", error)
        else:
            return _ForkedRuns()
    return multiprocessing.get_context("spawn")


if sys.platform != "win32":
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    class _ForkedRun(ForkServerProcess):
        """A run's process, which ends when the fork server does: Dagster would take it for dead."""

        def run(self) -> None:
            """Work on the run."""
            if die_with_fork_server := dying_with(os.getppid()):
                die_with_fork_server()
            super().run()

    class _ForkedRuns(ForkServerContext):
        Process = _ForkedRun
