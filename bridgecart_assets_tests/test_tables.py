"""Published tables in other people's programs: the rows of the warehouse, with the types of the contracts."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.contracts import TABLES, Column
from bridgecart_assets.tables import NotPublished, UnknownTable, UnreadableTable, names, path, read
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.examples import examples

PUBLISHED = [table for table in TABLES.values() if table.published]
AMOUNTS = st.decimals(Decimal("-9999999999999.99"), Decimal("9999999999999.99"), places=2)


def dtype(column: Column) -> str:
    """The pandas type of a column, by its type in the contract."""
    kinds = {"VARCHAR": "string", "INTEGER": "Int32", "BIGINT": "Int64", "BOOLEAN": "boolean", "DATE": "datetime64[ms]"}
    is_number = column.type == "DOUBLE" or column.type.startswith("DECIMAL")
    return "object" if column.type.endswith("[]") else "float64" if is_number else kinds[column.type]


@pytest.mark.parametrize("table", PUBLISHED, ids=lambda table: table.full_name)
def test_a_table_has_the_rows_of_the_warehouse_and_the_types_of_its_contract(filled: Warehouse, table):
    key = ", ".join(table.key)
    with filled.reading() as connection:
        cursor = connection.execute(f"select * from {table.full_name} order by {key}")
        rows = [dict(zip(table.column_names, row, strict=True)) for row in cursor.fetchall()]
    exact, frame = read(table.full_name, exact=True), read(table.full_name)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {c.name: dtype(c) for c in table.columns}
    assert len(exact) == len(frame) == len(rows)
    for column in table.columns:
        for row, value, number in zip(rows, exact[column.name], frame[column.name], strict=True):
            expected = row[column.name]
            if expected is None:
                assert value is None or pd.isna(value)
                assert number is None or pd.isna(number)
            elif isinstance(expected, Decimal):
                assert (value, type(value)) == (expected, Decimal)
                assert number == float(expected)
            elif column.type == "DATE":
                assert value == number == pd.Timestamp(expected)
            else:
                assert list(value) == expected if isinstance(expected, list) else value == number == expected


@examples(20)
@given(st.lists(AMOUNTS, min_size=1, max_size=20))
def test_an_amount_is_the_float_nearest_to_its_cents(amounts: list[Decimal]):
    with TemporaryDirectory() as folder:
        file = Path(folder) / "published" / "kpi" / "sales_contribution.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(pa.table({"sales": pa.array(amounts, pa.decimal128(38, 2))}), file)
        assert list(read("kpi/sales_contribution", data_dir=folder)["sales"]) == list(map(float, amounts))
        assert sum(read("kpi/sales_contribution", data_dir=folder, exact=True)["sales"]) == sum(amounts)


def test_the_names_are_those_of_the_published_tables_and_lead_to_their_files(filled: Warehouse, data_dir: Path):
    assert names() == [f"{table.schema}/{table.name}" for table in PUBLISHED]
    for name in names():
        assert path(name) == path(name.replace("/", ".")) == data_dir / "published" / f"{name}.parquet"


def test_another_folder_counts_before_the_setting(filled: Warehouse, data_dir: Path, monkeypatch: pytest.MonkeyPatch):
    elsewhere = data_dir.rename(data_dir.with_name("elsewhere"))
    with pytest.raises(NotPublished, match=rf"^There is no {data_dir}/published/kpi/churn_rate.parquet yet"):
        read("kpi/churn_rate")
    assert len(read("kpi/churn_rate", data_dir=elsewhere)) > 0
    monkeypatch.chdir(elsewhere.parent)
    assert path("kpi/churn_rate", data_dir="elsewhere").is_absolute()


def test_a_table_that_is_none_is_told_with_those_that_there_are(filled: Warehouse):
    for name in ("kpi/churn", "silver/customers", "../bridgecart.duckdb", ""):
        with pytest.raises(UnknownTable) as told:
            read(name)
        assert str(told.value) == f"No published table is called {name}; there are {', '.join(names())}."


def test_a_broken_file_is_told_in_a_line(filled: Warehouse):
    path("kpi/churn_rate").write_bytes(b"PAR1")
    with pytest.raises(UnreadableTable, match=r"rate\.parquet cannot be read: `bridgecart run` writes it anew\.$"):
        read("kpi/churn_rate")


def test_importing_it_loads_nothing_that_is_slow(filled: Warehouse):
    program = (
        "import sys; from bridgecart_assets.tables import names, path, read; names(); "
        "early = set(sys.modules); frame = read('kpi/churn_rate'); "
        "print(early & {'dagster', 'pandas', 'duckdb', 'pydantic', 'pyarrow', 'numpy'}, 'dagster' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("set() False\n", "")
