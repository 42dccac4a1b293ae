"""The packed log of a run that has ended: its events as lines of JSON, a twentieth of the SQLite file they were in."""

import gzip
import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from bridgecart_assets.orchestration.storage import packed_text

SUFFIX = ".jsonl.gz"
_TABLE = "event_logs"
# Level 6 takes ten milliseconds for a run; level 9 takes twice as long to save a fiftieth.
_LEVEL = 6


def packed_path(log: Path) -> Path:
    """Path of the packed form of a run's SQLite file."""
    return log.with_name(log.stem + SUFFIX)


def pack(log: Path) -> None:
    """Replace a run's SQLite file by its packed form. Cut off anywhere, one of the two is there and complete."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as connection:
        found = connection.execute(f"select * from {_TABLE} order by id")
        columns = [name for name, *_ in found.description]
        rows = found.fetchall()
    partial = log.with_name(f"{log.stem}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        # Without a name and a time in it, the same events give the same bytes.
        with gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
            for row in (columns, *rows):
                packed.write(
                    json.dumps(
                        [packed_text.unpacked(value) for value in row], ensure_ascii=False, separators=(",", ":")
                    ).encode()
                    + b"\n"
                )
        file.flush()
        os.fsync(file.fileno())
    partial.rename(packed_path(log))
    remove_database(log)


def unpack_into(connection: sqlite3.Connection, packed: Path) -> None:
    """Add the packed events to the table of events of an open database."""
    columns, *rows = read_packed(packed)
    names, values = ", ".join(f'"{name}"' for name in columns), ", ".join("?" for _ in columns)
    connection.executemany(f"insert into {_TABLE} ({names}) values ({values})", rows)
    connection.commit()


def read_packed(packed: Path) -> list[Sequence[object]]:
    """The names of the columns, then the rows."""
    with gzip.open(packed, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def remove(log: Path) -> None:
    """Remove a run's log, packed or not."""
    packed_path(log).unlink(missing_ok=True)
    remove_database(log)


def remove_database(file: Path) -> None:
    """Remove a SQLite file with its log; those who have it open go on with what they have."""
    for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        path.unlink(missing_ok=True)
