"""Parquet: every scalar a text, digit by digit; what is nested stays nested."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sources.files.errors import FileRefused
from bridgecart_assets.sources.files.history_file import open_history
from bridgecart_assets_tests.sources.files.payloads import documents
from bridgecart_assets_tests.support.examples import examples

AT = datetime(2025, 3, 4, 10, 0, 0, 120_000)  # noqa: DTZ001 - a column without a zone


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([Decimal("0.00")], pa.decimal128(18, 2)), "0.00"),
        (pa.array([Decimal("12345678901234567890123456.78")], pa.decimal128(38, 2)), "12345678901234567890123456.78"),
        (pa.array([2**63 - 1], pa.int64()), "9223372036854775807"),
        (pa.array([12.3], pa.float64()), "12.3"),
        (pa.array([17850.0], pa.float64()), "17850"),
        (pa.array([float("nan")], pa.float64()), None),
        (pa.array([True]), "true"),
        (pa.array([None], pa.string()), None),
        (pa.array([""]), ""),
        (pa.array(["Asha"]).dictionary_encode(), "Asha"),
        (pa.array(["é".encode()], pa.binary()), "é"),
        (pa.array([b"\xe9\x00"], pa.binary()), "\\xE9\\x00"),
        (pa.array([date(2025, 3, 4)]), "2025-03-04"),
        (pa.array([time(10, 30)]), "10:30:00"),
        (pa.array([AT], pa.timestamp("us")), "2025-03-04 10:00:00.12"),
        (pa.array([AT], pa.timestamp("ns")), "2025-03-04 10:00:00.12"),
        (pa.array([AT.replace(tzinfo=UTC)], pa.timestamp("us", tz="Asia/Kolkata")), "2025-03-04 10:00:00.12+00"),
        (
            pa.array([[{"sku": "A1", "price": Decimal("10.10"), "qty": 2}]]),
            [{"sku": "A1", "price": "10.10", "qty": "2"}],
        ),
        (pa.array([{'a "b"': [[1], None]}]), {'a "b"': [["1"], None]}),
        (pa.array([[("k", Decimal("1.50"))]], pa.map_(pa.string(), pa.decimal128(9, 2))), {"k": "1.50"}),
        (pa.array([[1, 2]], pa.list_(pa.int32(), 2)), ["1", "2"]),
    ],
)
def test_a_value_is_the_text_of_itself(column: pa.Array, said: object, tmp_path: Path) -> None:
    file = tmp_path / "history.parquet"
    pq.write_table(pa.table({"Order No": column}), file)
    assert documents(file) == [{"Order No": said}]


def test_columns_whose_names_differ_by_case_alone_are_two(tmp_path: Path) -> None:
    file = tmp_path / "history.parquet"
    pq.write_table(pa.table({"Id": [1], "ID": [2], "it's": [3]}), file)
    assert documents(file) == [{"Id": "1", "ID": "2", "it's": "3"}]


def test_whole_numbers_that_pandas_made_floating_because_one_is_missing_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "history.parquet"
    pd.DataFrame({"customer": [17850, None], "at": [AT, None]}).to_parquet(file)
    assert documents(file) == [
        {"customer": "17850", "at": "2025-03-04 10:00:00.12"},
        {"customer": None, "at": None},
    ]


def test_a_file_that_is_no_parquet_or_has_no_rows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "history.parquet"
    file.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(FileRefused, match=r"^history\.parquet: it is no Parquet file, or a damaged one; nothing was"):
        open_history(file)
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), file)
    with pytest.raises(FileRefused, match=r"^history\.parquet: it has no rows; nothing was imported$"):
        open_history(file)


@examples(40)
@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8"), max_size=5),
            st.none() | st.decimals(-(10**10), 10**10, places=2),
            st.none() | st.lists(st.integers(-5, 5), max_size=2),
        ),
        min_size=1,
        max_size=12,
    ),
    group=st.integers(1, 5),
    data=st.data(),
)
def test_the_rows_are_those_of_the_file_in_its_order_from_any_row_on(
    rows: list[tuple[str, Decimal | None, list[int] | None]],
    group: int,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = tmp_path_factory.mktemp("parquet") / "history.parquet"
    kinds = pa.schema([("text", pa.string()), ("money", pa.decimal128(18, 2)), ("list", pa.list_(pa.int32()))])
    table = pa.Table.from_pylist([dict(zip(kinds.names, row, strict=True)) for row in rows], schema=kinds)
    pq.write_table(table, file, row_group_size=group)
    start = data.draw(st.integers(0, len(rows)))
    assert documents(file, start) == [
        {
            "text": text,
            "money": None if money is None else str(money),
            "list": None if numbers is None else [str(number) for number in numbers],
        }
        for text, money, numbers in rows[start:]
    ]
