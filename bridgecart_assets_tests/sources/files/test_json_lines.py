"""NDJSON: a line is a payload as it stands."""

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sources.files import lines
from bridgecart_assets.sources.files.errors import FileRefused
from bridgecart_assets.sources.files.history_file import open_history
from bridgecart_assets_tests.sources.files.payloads import payloads
from bridgecart_assets_tests.support.examples import examples


def test_a_line_is_the_payload_byte_by_byte_without_what_is_around_it(tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_bytes('\ufeff{"amount": 0.00, "a":1,"a":2}\r\n\n  {"x":"\u2028é"} \n{"broken": \nnull'.encode())
    assert payloads(file) == [
        b'{"amount": 0.00, "a":1,"a":2}',
        '{"x":"\u2028é"}'.encode(),
        b'{"broken":',
        b"null",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b'[\n{"a": 1}\n]\n',
            "1: it is no JSON object, and each line has to be one: write them so, as by `jq -c '.[]' orders.ndjson`",
        ),
        (
            b'{\n"a": 1\n}\n',
            "1: it is no JSON object, and each line has to be one: write them so, as by `jq -c '.' orders.ndjson`",
        ),
        (b"\norder_id,total\n", "line 2: it is no JSON object, and each line has to be one; nothing was imported"),
        (b'{"a": 1}\n{"a": "\xe9"}\n', "line 2: it is not UTF-8"),
        (b" \n\n", "orders.ndjson: it has no rows; nothing was imported"),
    ],
)
def test_a_file_that_is_no_ndjson_is_refused_with_the_place(content: bytes, says: str, tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_bytes(content)
    with pytest.raises(FileRefused, match=re.escape(says)):
        open_history(file)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@examples(60)
@given(
    rows=st.lists(st.dictionaries(st.text(), _values, max_size=4), min_size=1, max_size=9),
    as_ascii=st.booleans(),
    compressed=st.booleans(),
    data=st.data(),
)
def test_the_lines_are_read_as_they_are_in_the_order_of_the_file_from_any_row_on(
    rows: list[dict[str, object]],
    as_ascii: bool,
    compressed: bool,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    written = [json.dumps(row, ensure_ascii=as_ascii).encode(errors="replace") for row in rows]
    file = tmp_path_factory.mktemp("ndjson") / f"orders.jsonl{'.gz' if compressed else ''}"
    content = b"\n".join(written)
    file.write_bytes(gzip.compress(content) if compressed else content)
    start = data.draw(st.integers(0, len(rows)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_MARKED_ROWS", 2)
        assert payloads(file, start) == written[start:]
