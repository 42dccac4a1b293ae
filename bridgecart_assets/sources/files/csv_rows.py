"""CSV: every field a text, an empty one null; the first line names the columns.

Separators are told from that line: comma, semicolon, tab or bar. Quotes are doubled inside of quotes (RFC 4180), where
line breaks and separators stand for themselves.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pyarrow as pa

from bridgecart_assets.sources.files.lines import Lines, Marks, open_lines, rows_from
from bridgecart_assets.sources.files.rows import in_pieces

_SEPARATORS = ",;\t|"
_QUOTE_LEFT_OPEN = "a quote that begins there does not end"
# The parser's own words, which a person would not understand.
_MEANINGS = {
    "unexpected end of data": _QUOTE_LEFT_OPEN,
    "field larger than field limit": f"a field is too long, or {_QUOTE_LEFT_OPEN}",
    "expected after": "something follows a closing quote; a quote inside of a field is written twice",
    "new-line character": "a line break within a field that has no quotes",
}


class CsvRows:
    """The rows of a CSV file. Raises FileRefused where any line is not what the first one promises."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks = Marks()
        with open_lines(path) as lines:
            self._separator, self._columns = _header(lines)
            for line, position, _ in self._records(lines):
                self._marks.note_row(line, position)

    @property
    def count(self) -> int:
        """Number of rows, without the header."""
        return self._marks.rows

    def pieces(self, start: int) -> Iterator[pa.Array]:
        """Rows as JSON, from one on."""
        return in_pieces(self._payloads(start))

    def _payloads(self, start: int) -> Iterator[bytes]:
        for fields in rows_from(start, self._path, self._marks, self._records):
            yield orjson.dumps(dict(zip(self._columns, [field or None for field in fields], strict=True)))

    def _records(self, lines: Lines) -> Iterator[tuple[int, int, Sequence[str]]]:
        """Fields of each row, and the lines and bytes before it."""
        reader = csv.reader(lines, delimiter=self._separator, strict=True)
        expected = len(self._columns)
        while True:
            line, position = lines.number, lines.position
            try:
                fields = next(reader, None)
            except csv.Error as error:
                raise lines.refused(_meaning(error), line=line + 1) from None
            if fields is None:
                return
            if not fields:
                continue
            if len(fields) != expected:
                why = f"{_columns(len(fields))} where {expected} are expected"
                raise lines.refused(why, line=line + 1)
            yield line, position, fields


def _header(lines: Lines) -> tuple[str, Sequence[str]]:
    """Separator and names of the columns."""
    first = next(lines, "")
    readings = {separator: _fields(first, separator) for separator in _SEPARATORS}
    separator = max(readings, key=lambda each: len(readings[each]))
    columns = readings[separator]
    if not any(columns):
        raise lines.refused("it is empty, and has to name the columns", line=1)
    nameless = [column for column in columns if not any(map(str.isalpha, column))]
    if nameless:
        raise lines.refused(f'"{nameless[0]}" is no name of a column, and the first line has to name all of them')
    twice = [column for column, times in Counter(columns).items() if times > 1]
    if twice:
        raise lines.refused(f'two columns are called "{twice[0]}"')
    return separator, columns


def _fields(line: str, separator: str) -> Sequence[str]:
    """The fields of a line, none where it cannot have this separator."""
    try:
        return next(csv.reader([line], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _meaning(error: csv.Error) -> str:
    return next((meaning for words, meaning in _MEANINGS.items() if words in str(error)), str(error))


def _columns(count: int) -> str:
    return f"{count} column{'s' if count > 1 else ''}"
