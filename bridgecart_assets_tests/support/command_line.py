"""The `bridgecart` command in the process of a test."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridgecart_assets.cli import main
from bridgecart_assets.warehouse.storage.database import Warehouse

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


Bridgecart = Callable[..., Done]


@pytest.fixture
def bridgecart(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Bridgecart:
    """The `bridgecart` command in this process."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["bridgecart", *arguments])
        capfd.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        assert isinstance(code, int)
        return Done(code, *capfd.readouterr())

    return run


@contextmanager
def held_by_another_process(warehouse: Warehouse) -> Iterator[int]:
    command = [sys.executable, "-c", HOLD, str(warehouse.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            yield holder.pid
        finally:
            holder.kill()


def content(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def assert_one_line(done: Done, *words: str, code: int = 1) -> None:
    assert done.code == code, done
    assert done.out == ""
    assert done.err.startswith("bridgecart: ")
    assert done.err.count("\n") == 1, done.err
    for word in words:
        assert word in done.err
