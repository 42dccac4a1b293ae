"""NDJSON: a JSON object a line, which is the payload as it stands."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa

from bridgecart_assets.sources.files.lines import Lines, Marks, open_lines, rows_from
from bridgecart_assets.sources.files.rows import in_pieces


class JsonLines:
    """The lines of an NDJSON file that are not blank. Raises FileRefused where the first is no JSON object.

    One that is none further down is a record that is rejected, as it would be from a topic.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._marks = Marks()
        with open_lines(path) as lines:
            for line, position, text in _documents(lines):
                if not self._marks.rows and not _is_object(text):
                    raise lines.refused(f"it is no JSON object, and each line has to be one{_remedy(text, path.name)}")
                self._marks.note_row(line, position)

    @property
    def count(self) -> int:
        """Number of lines that are not blank."""
        return self._marks.rows

    def pieces(self, start: int) -> Iterator[pa.Array]:
        """Lines without the white space around them, from one on."""
        return in_pieces(self._payloads(start))

    def _payloads(self, start: int) -> Iterator[bytes]:
        for text in rows_from(start, self._path, self._marks, _documents):
            yield text.encode()


def _documents(lines: Lines) -> Iterator[tuple[int, int, str]]:
    """The text of each line that is not blank, and the lines and bytes before it."""
    number, position = lines.number, lines.position
    for line in lines:
        text = line.strip()
        if text:
            yield number, position, text
        number, position = lines.number, lines.position


def _remedy(text: str, name: str) -> str:
    """Advice where the file is one list of objects, or has objects over several lines."""
    program = {"[": ".[]", "{": "."}.get(text[:1])
    return f": write them so, as by `jq -c '{program}' {name}`" if program else ""


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
