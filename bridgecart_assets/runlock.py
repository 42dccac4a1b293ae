"""The lock that says a command of this project is at work on the data directory; the system frees it at any death."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from bridgecart_assets.errors import BridgeCartError

LAUNCHER_TAG = "bridgecart/launcher"
CLI_LAUNCHER = "cli"


class AlreadyRunning(BridgeCartError):
    """Another `bridgecart run` works on the same data directory."""


@contextmanager
def run_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock of the data directory. Raises AlreadyRunning at once when another process holds it."""
    lock = _lock(data_dir)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyRunning(
            f"Another bridgecart command works on {data_dir}: wait until it has finished, then run again."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_run_lock_free(data_dir: Path) -> bool:
    """Whether no `bridgecart run` is at work on the data directory."""
    lock = _lock(data_dir)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def _lock(data_dir: Path) -> FileLock:
    return FileLock(data_dir / "run.lock")
