"""All that a file says, also what Dagster's storage keeps compressed."""

import gzip
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from bridgecart_assets.orchestration.storage import packed_text, run_logs

_SQLITE = b"SQLite format 3\0"


def written(file: Path) -> str:
    """The bytes of a file as text, and after them every text that is compressed in it."""
    stored = file.read_bytes()
    return "\n".join([stored.decode(errors="replace"), *_compressed(file, stored)])


def _compressed(file: Path, stored: bytes) -> Iterator[str]:
    if file.name.endswith(run_logs.SUFFIX):
        yield gzip.decompress(stored).decode()
    if stored.startswith(_SQLITE):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
            for (table,) in tables:
                for row in connection.execute(f'select * from "{table}"'):
                    yield from _unpacked(row)


def _unpacked(row: tuple[object, ...]) -> Iterator[str]:
    for value in row:
        if isinstance(value, bytes):
            with suppress(zlib.error):
                yield packed_text.unpacked(value) or ""
