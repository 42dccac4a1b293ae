"""A file is its content, whatever it is called; and only what can be read twice is one."""

import os
from pathlib import Path

import pytest

from bridgecart_assets.sources.files.errors import FileChanged, FileRefused
from bridgecart_assets.sources.files.history_file import is_file, open_history
from bridgecart_assets.sources.files.reading import read_rows
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten rows."""
    path = tmp_path / "history.csv"
    path.write_text("id\n" + "".join(f"{n}\n" for n in range(10)))
    return path


def _plan(start: int, end: int) -> BatchPlan:
    return BatchPlan("20300101T000000Z", "history.csv", "file:1", {0: OffsetRange(start, end)})


def test_the_same_content_under_another_name_is_the_same_file_and_a_changed_one_another(file: Path) -> None:
    other = file.with_name("older.csv")
    other.write_bytes(file.read_bytes())
    first = open_history(file)
    assert is_file(first.topic_id)
    assert open_history(other).topic_id == first.topic_id
    file.write_text("id\n1\n")
    assert open_history(file).topic_id != first.topic_id


def test_a_batch_has_exactly_the_rows_of_its_plan_with_their_numbers_as_offsets(file: Path) -> None:
    reading = read_rows(open_history(file), _plan(3, 7))
    (chunk,) = reading.ahead()
    assert chunk.column("offset").to_pylist() == [3, 4, 5, 6]
    assert chunk.column("payload").to_pylist() == [b'{"id":"%d"}' % n for n in range(3, 7)]
    assert {chunk.column(name).null_count for name in ("kafka_timestamp", "key", "headers")} == {4}
    assert reading.covered == _plan(3, 7)


def test_a_file_that_changes_while_it_is_read_gives_no_batch(file: Path) -> None:
    reading = read_rows(open_history(file), _plan(0, 10))
    os.utime(file, (1, 1))
    with pytest.raises(FileChanged, match=r"^history\.csv was changed while it was read: import it again when nobody"):
        list(reading.ahead())


def test_what_is_no_file_of_rows_is_refused_in_one_line_that_names_no_folder(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    folder = tmp_path / "history.parquet"
    folder.mkdir()
    unknown = tmp_path / "history.xlsx"
    unknown.write_bytes(b"PK")
    for path, says in [
        (pipe, "pipe.csv: it is no regular file"),
        (folder, "history.parquet: it is a folder: name its files"),
        (unknown, "history.xlsx: its name has to end in .csv, .tsv"),
        (tmp_path / "none.csv", "none.csv: it cannot be read (No such file or directory)"),
    ]:
        with pytest.raises(FileRefused) as caught:
            open_history(path)
        assert str(caught.value).startswith(says)
        assert str(tmp_path) not in str(caught.value)
