"""Writing: all of an asset's tables or nothing, columns by name, and no row that breaks the contract."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import duckdb
import pandas as pd
import pytest

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import CUSTOMER_SCORES, MONEY, RAW_BATCHES, RAW_ORDERS, Column, Contract
from bridgecart_assets.warehouse.queries import customers_query, silver_batch_query
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseMissing
from bridgecart_assets.warehouse.storage.outputs import Table
from bridgecart_assets.warehouse.storage.tables import ContractBroken, check_people, count_rows, prepare
from bridgecart_assets.warehouse.writing import write_frame, write_query
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digest, digests, rows

FIRST, SECOND = "20300101T000000Z", "20300101T000100Z"

TOYS = Contract(
    schema="gold",
    name="toys",
    meaning="A small table.",
    columns=(
        Column("code", "VARCHAR", "Key"),
        Column("parts", "INTEGER", "Parts"),
        Column("price", MONEY, "Price, currency units"),
        Column("made_on", "DATE", "Day of making", nullable=True),
        Column("weight", "DOUBLE", "Weight, kg", nullable=True),
    ),
    key=("code",),
)
STANDING = [("car", 4, Decimal("1.50"), None, 0.25)]


def _toys(**changed: Any) -> pd.DataFrame:
    columns = {"code": ["car"], "parts": [4], "price": [Decimal("1.50")], "made_on": [None], "weight": [0.25]}
    return pd.DataFrame({**columns, **changed})


def _write_toys(warehouse: Warehouse, frame: pd.DataFrame) -> None:
    with warehouse.transaction() as connection:
        write_frame(connection, TOYS, frame, None)


@pytest.fixture
def with_toys(warehouse: Warehouse) -> Warehouse:
    _write_toys(warehouse, _toys())
    return warehouse


# --- data frames


def test_columns_are_matched_by_name_whatever_their_order(with_toys: Warehouse) -> None:
    _write_toys(with_toys, _toys()[["weight", "price", "code", "made_on", "parts"]])
    assert rows(with_toys, "from gold.toys") == STANDING


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        pytest.param(_toys().drop(columns="parts"), "columns missing ['parts'], columns unknown []", id="missing"),
        pytest.param(_toys(size=[1]), "columns missing [], columns unknown ['size']", id="extra"),
        pytest.param(
            _toys().rename(columns={"code": "Code"}), "missing ['code'], columns unknown ['Code']", id="other case"
        ),
        pytest.param(
            pd.concat([_toys(), _toys()[["parts"]]], axis=1), "columns unknown ['parts']", id="the same column twice"
        ),
        pytest.param(pd.DataFrame(), "columns missing ['code', 'made_on', 'parts'", id="no column at all"),
        pytest.param(_toys(code=[None]), "NOT NULL constraint failed: toys.code", id="NULL in the key"),
        pytest.param(_toys(parts=[float("nan")]), "NOT NULL constraint failed: toys.parts", id="NaN for a number"),
        pytest.param(_toys(parts=["many"]), "Could not convert string 'many'", id="words for a number"),
        pytest.param(_toys(parts=[2**40]), "out of range", id="a number too large"),
        pytest.param(_toys(price=[Decimal(10) ** 17]), "out of range", id="an amount too large"),
        pytest.param(_toys(made_on=["2025-02-30"]), "out of range", id="an impossible date"),
        pytest.param(_toys(parts=[[1, 2]]), "Unimplemented type for cast", id="a list for a number"),
        pytest.param(_toys(weight=[1j]), "complex128", id="a type the database does not know"),
        pytest.param(_toys(code=["\ud800"]), "surrogate", id="text that is none"),
        pytest.param(pd.concat([_toys(), _toys()]), "(\"code\") is not unique, for example [('car',)]", id="key twice"),
    ],
)
def test_a_frame_that_breaks_the_contract_is_refused_and_the_rows_stay(
    with_toys: Warehouse, frame: pd.DataFrame, complaint: str
) -> None:
    with pytest.raises(ContractBroken) as raised:
        _write_toys(with_toys, frame)
    message = str(raised.value)
    assert message.startswith("gold.toys: ")
    assert complaint in message
    assert "\n" not in message
    assert rows(with_toys, "from gold.toys") == STANDING


def test_an_empty_frame_makes_the_table(warehouse: Warehouse) -> None:
    _write_toys(warehouse, _toys().iloc[:0])
    assert rows(warehouse, "from gold.toys") == []
    described = [row[:3] for row in rows(warehouse, "describe gold.toys")]
    assert described == [(c.name, c.type, "YES" if c.nullable else "NO") for c in TOYS.columns]


def test_an_empty_frame_empties_the_table_and_keeps_it(with_toys: Warehouse) -> None:
    _write_toys(with_toys, pd.DataFrame(columns=list(TOYS.column_names)))
    assert rows(with_toys, "from gold.toys") == []


def test_a_frame_of_one_batch_leaves_other_batches_alone(warehouse: Warehouse) -> None:
    contract = Contract("gold", "parts", "m", (TOYS.columns[0], Column("batch_key", "VARCHAR", "Batch")), ("code",))
    for batch_key, codes in ((FIRST, ["a", "b"]), (SECOND, ["c"]), (FIRST, ["d"])):
        with warehouse.transaction() as connection:
            frame = pd.DataFrame({"batch_key": batch_key, "code": codes})
            write_frame(connection, contract, frame, batch_key)
    assert rows(warehouse, "from gold.parts order by code") == [("c", SECOND), ("d", FIRST)]
    with warehouse.reading() as connection:
        assert (count_rows(connection, contract), count_rows(connection, contract, FIRST)) == (2, 1)


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        ([1, 2, 3], None),
        ([3, 1, 2], None),
        ([1, 2], "not the customers of people"),
        ([1, 2, 4], "not the customers of people"),
        ([1, 1, 3], "is not unique, for example [('1',)]"),
        ([1, 2, 3, 3], "is not unique, for example [('3',)]"),
        ([], "not the customers of people"),
    ],
)
def test_every_customer_has_one_row_and_nobody_else_has(
    warehouse: Warehouse, made: list[int], complaint: str | None
) -> None:
    with warehouse.transaction() as connection:
        for name, hashes in (("people", [1, 2, 3]), ("made", made)):
            people = "unnest($hashes::bigint[]) as customer_hash, customer_hash::varchar as customer_id"
            connection.execute(f"create temp table {name} as select {people}", {"hashes": hashes})
        with pytest.raises(ContractBroken, match=re.escape(complaint)) if complaint else nullcontext():
            check_people(connection, CUSTOMER_SCORES, "made", "people")


def test_a_stored_table_with_other_columns_is_not_touched(warehouse: Warehouse) -> None:
    with warehouse.transaction() as connection:
        connection.execute("create schema gold")
        connection.execute("create table gold.toys as select 'car' as code, 4 as parts")
    with pytest.raises(ContractBroken, match="move the warehouse file away"):
        _write_toys(warehouse, _toys())
    assert rows(warehouse, "from gold.toys") == [("car", 4)]


# --- queries: the tables of a batch in silver are one write


class Failing:
    """A connection whose n-th statement fails, as it would when the disk or the power does."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, after: int) -> None:
        self.connection = connection
        self.left = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, *arguments: Any) -> duckdb.DuckDBPyConnection:
        self.left -= 1
        if self.left < 0:
            raise PowerCut
        return self.connection.execute(*arguments)


class PowerCut(BaseException):
    """Not caught by anyone."""


@contextmanager
def _failing(warehouse: Warehouse, after: int) -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.transaction() as connection:
        yield cast(duckdb.DuckDBPyConnection, Failing(connection, after))


def test_whatever_statement_of_silver_fails_all_tables_stay_as_they_were(warehouse: Warehouse) -> None:
    settings = Settings()
    store_batch(warehouse, FIRST, [Record(event(order_id="a")), Record(event(order_id="a")), Record(b"{")])
    run_silver(warehouse, settings, FIRST)
    store_batch(warehouse, FIRST, [Record(b"["), Record(event(order_id="b")), Record(event(order_id="b"))])
    before = digests(warehouse)
    statements = 0
    while True:
        try:
            with _failing(warehouse, statements) as connection:
                write_query(connection, contracts.SILVER_ORDERS, silver_batch_query(settings), FIRST)
            break
        except PowerCut:
            assert digests(warehouse) == before
            statements += 2
    assert statements > 30
    after = digests(warehouse)
    changed = {"silver.orders", "silver.duplicate_orders", "silver.rejected_orders"}
    assert {name for name in after if after[name] != before[name]} == changed


def test_when_the_last_silver_table_refuses_its_rows_the_first_keeps_its_old_ones(warehouse: Warehouse) -> None:
    settings = Settings()
    run = [Record(event(order_id=str(n))) for n in range(200)]
    store_batch(warehouse, FIRST, run)
    run_silver(warehouse, settings, FIRST)
    with warehouse.transaction() as connection:
        connection.execute('alter table silver.rejected_orders alter "offset" type tinyint')
    before = digest(warehouse, contracts.SILVER_ORDERS)
    store_batch(warehouse, FIRST, [*run[:-1], Record(b"{")])
    with pytest.raises(ContractBroken, match=r"silver\.rejected_orders"):
        run_silver(warehouse, settings, FIRST)
    assert digest(warehouse, contracts.SILVER_ORDERS) == before


def test_a_batch_without_records_makes_all_silver_tables(warehouse: Warehouse) -> None:
    store_batch(warehouse, FIRST, [])
    run_silver(warehouse, Settings(), FIRST)
    for table in (contracts.SILVER_ORDERS, *contracts.BESIDE_ORDERS, contracts.SILVER_REJECTS):
        assert rows(warehouse, f"from {table.full_name}") == []


def test_a_query_without_its_input_tables_names_what_to_materialize(with_toys: Warehouse) -> None:
    query = customers_query(Table("raw.orders"), Table("silver.orders"))
    with (
        pytest.raises(WarehouseMissing, match=r"Materialize raw/orders, silver/orders first"),
        with_toys.transaction() as connection,
    ):
        write_query(connection, contracts.SILVER_CUSTOMERS, query, None)
    assert rows(with_toys, "select count(*) from duckdb_tables() where table_name <> 'layout_version'") == [(1,)]


def test_a_query_is_given_only_the_parameters_it_names(warehouse: Warehouse) -> None:
    store_batch(warehouse, FIRST, [Record(event())])
    run_silver(warehouse, Settings(), FIRST)
    query = replace(customers_query(), parameters={"nobody_asks": 1})
    with warehouse.transaction() as connection:
        write_query(connection, contracts.SILVER_CUSTOMERS, query, None)
    assert rows(warehouse, "select customer_id from silver.customers") == [("C1",)]


@pytest.mark.parametrize("contract", [RAW_ORDERS, RAW_BATCHES, *contracts.KPI_TABLES], ids=lambda c: c.full_name)
def test_preparing_a_table_twice_is_harmless(tmp_path: Path, contract: Contract) -> None:
    with Warehouse(tmp_path / "bridgecart.duckdb").transaction() as connection:
        prepare(connection, contract)
        prepare(connection, contract)
        assert count_rows(connection, contract) == 0
