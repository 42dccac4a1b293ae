"""Locks that say a command of this project is at work on the data directory; the system frees them at any death."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bridgecart_assets.base.errors import BridgeCartError

LAUNCHER_TAG = "bridgecart/launcher"
CLI_LAUNCHER = "cli"

_RUN = "run.lock"
_SERVE = "up.lock"
# Longer than the sensor holds the lock to see whether it is free.
_GRACE_SECONDS = 1.0


class AlreadyRunning(BridgeCartError):
    """Another command of this project works on the same data directory."""


@contextmanager
def run_lock(data_dir: Path) -> Iterator[None]:
    """For `run`, `import`, `demo`, `replay` and `forget`, which run jobs in their own process.

    Raises AlreadyRunning when one of them is at work.
    """
    with _held(data_dir / _RUN, "bridgecart command"):
        yield


@contextmanager
def serve_lock(data_dir: Path) -> Iterator[None]:
    """For `up`, and for what must not happen under its feet. Raises AlreadyRunning when an `up` is at work."""
    with _held(data_dir / _SERVE, "`bridgecart up`"):
        yield


def is_run_lock_free(data_dir: Path) -> bool:
    """True if no `run`, `import`, `demo`, `replay` or `forget` is at work on the data directory."""
    lock = FileLock(data_dir / _RUN)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


@contextmanager
def _held(file: Path, holder: str) -> Iterator[None]:
    lock = FileLock(file)
    try:
        lock.acquire(timeout=_GRACE_SECONDS)
    except Timeout:
        raise AlreadyRunning(
            f"Another {holder} works on {file.parent}: wait until it has finished, or stop it, then try again."
        ) from None
    try:
        yield
    finally:
        lock.release()
