"""CSV as programs write it: separators, quotes, line ends, marks; and what is refused, with its line."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sources.files import lines
from bridgecart_assets.sources.files.csv_rows import CsvRows
from bridgecart_assets.sources.files.errors import FileRefused
from bridgecart_assets.sources.files.history_file import open_history
from bridgecart_assets_tests.sources.files.payloads import documents, payloads
from bridgecart_assets_tests.support.examples import examples

ROWS = [{"id": "1", "total": "12,50"}, {"id": "2", "total": None}]


@pytest.mark.parametrize(
    "text",
    [
        'id,total\n1,"12,50"\n2,\n',
        "id;total\n1;12,50\n2;\n",
        "id\ttotal\n1\t12,50\n2\t\n",
        "id|total\n1|12,50\n2|\n",
        '"id","total"\r\n"1","12,50"\r\n"2",""\r\n',
        '\ufeffid,total\n1,"12,50"\n\n2,',
    ],
)
def test_a_field_is_a_text_and_an_empty_one_null_however_the_file_is_written(text: str, tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_bytes(text.encode())
    assert documents(file) == ROWS


def test_a_compressed_file_has_the_rows_of_the_plain_one(tmp_path: Path) -> None:
    file = tmp_path / "HISTORY.CSV.GZ"
    file.write_bytes(gzip.compress(b"id;total\n1;12,50\n2;\n"))
    assert documents(file) == ROWS
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(FileRefused, match=r"^HISTORY\.CSV\.GZ: its compression is damaged or cut off; nothing was"):
        open_history(file)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a,b\n1,2\n3,4,5\n", "line 3: 3 columns where 2 are expected"),
        (b'a,b\n"1\n1",2\n3\n', "line 4: 1 column where 2 are expected"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "line 3: a quote that begins there does not end"),
        (b'a,b\n1,"2"x\n', "line 2: something follows a closing quote"),
        (b"a,b\n1,2\n3,\xe9\n", "line 3: it is not UTF-8: convert the file first, as by `iconv -f WINDOWS-1252 "),
        ("a,b\n1,2\n".encode("utf-16"), "line 1: it is not UTF-8: convert the file first, as by `iconv -f UTF-16 "),
        (b"10-1;C-42;129,90\n10-2;C-43;45,50\n", 'line 1: "10-1" is no name of a column'),
        (b"a,,b\n1,2,3\n", 'line 1: "" is no name of a column'),
        (b"a,b,a\n1,2,3\n", 'line 1: two columns are called "a"'),
        (b"\n1,2\n", "line 1: it is empty, and has to name the columns"),
        (b"", "line 1: it is empty, and has to name the columns"),
        (b"a,b\n", ": it has no rows"),
        (b'a,b\n1,"' + b"x" * 200_000, "line 2: a field is too long, or a quote that begins there does not end"),
    ],
)
def test_a_file_that_is_not_as_its_first_line_promises_is_refused_with_the_place(
    content: bytes, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "history.csv"
    file.write_bytes(content)
    with pytest.raises(FileRefused) as caught:
        open_history(file)
    assert str(caught.value).startswith(f"history.csv{says if says[0] == ':' else f' {says}'}")
    assert str(caught.value).endswith("; nothing was imported")


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_LONGEST_LINE", 1_000)
    file = tmp_path / "history.csv"
    file.write_bytes(b"a,b\n1," + b"x" * 2_000)
    with pytest.raises(FileRefused, match=r"line 2: it is longer than 1,000 bytes"):
        open_history(file)


_field = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
_name = st.from_regex(r"\A[a-z][a-zÄ ,;\"\n]{0,5}\Z")


@examples(60)
@given(
    columns=st.lists(_name, min_size=2, max_size=4, unique=True),
    data=st.data(),
    separator=st.sampled_from(",;\t"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    marked=st.integers(1, 3),
)
def test_what_a_csv_writer_wrote_is_read_as_it_was_in_the_order_of_the_file_from_any_row_on(
    columns: list[str],
    data: st.DataObject,
    separator: str,
    line_end: str,
    marked: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    columns = [column.replace("\n", "").strip(',;"') + "x" for column in columns]
    columns = [f"{column}{number}" for number, column in enumerate(columns)]
    rows = data.draw(st.lists(st.lists(_field, min_size=len(columns), max_size=len(columns)), min_size=1, max_size=9))
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=separator, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([columns, *rows])
    file = tmp_path_factory.mktemp("csv") / "history.csv"
    file.write_bytes(written.getvalue().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_MARKED_ROWS", marked)
        assert CsvRows(file).count == len(rows)
        expected = [dict(zip(columns, [field or None for field in row], strict=True)) for row in rows]
        start = data.draw(st.integers(0, len(rows)))
        assert documents(file, start) == expected[start:]
        assert payloads(file)[start:] == payloads(file, start)
