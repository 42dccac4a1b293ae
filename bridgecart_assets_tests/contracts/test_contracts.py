"""Contracts: one declaration of every table, from which everything else follows."""

import re
from collections import Counter

import duckdb
import pytest

from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    BESIDE_ORDERS,
    KPI_TABLES,
    RAW_BATCHES,
    RAW_ORDERS,
    SILVER_CUSTOMERS,
    SILVER_ORDERS,
    SILVER_REJECTS,
    TABLES,
    TRAITS,
    WRITTEN_WITH_ORDERS,
    Contract,
    schemas,
)
from bridgecart_assets.sql import file_of, read_sql

every_table = pytest.mark.parametrize("contract", TABLES.values(), ids=TABLES)


@every_table
def test_no_word_of_a_description_is_taken_for_html_by_dagsters_page(contract: Contract) -> None:
    said = (contract.meaning, *(column.meaning for column in contract.columns))
    assert [words for words in said if re.search(r"<\w", words)] == []


@every_table
def test_the_declaration_makes_the_table_it_describes(contract: Contract) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create schema {contract.schema}")
        connection.execute(contract.ddl())
        connection.execute(contract.ddl())
        described = connection.execute(f"describe {contract.full_name}").fetchall()
    assert [(name, nullable == "YES") for name, _, nullable, *_ in described] == [
        (column.name, column.nullable) for column in contract.columns
    ]
    assert [_plain(row[1]) for row in described] == [_plain(column.type) for column in contract.columns]


def _plain(type_name: str) -> str:
    return re.sub(r"[\s\"]", "", type_name).lower()


@every_table
def test_names_are_unique_and_keys_are_columns_that_are_never_null(contract: Contract) -> None:
    assert [name for name, count in Counter(contract.column_names).items() if count > 1] == []
    columns = {column.name: column for column in contract.columns}
    assert contract.key
    assert [name for name in contract.key if columns[name].nullable] == []


@every_table
def test_every_table_and_column_says_what_it_means(contract: Contract) -> None:
    assert contract.meaning.endswith(".")
    assert [column.name for column in contract.columns if not column.meaning.strip()] == []


@every_table
def test_amounts_are_exact_decimals(contract: Contract) -> None:
    money = re.compile(r"_amount$|_sales$|^sales$|^income$|_clv$")
    assert [c.name for c in contract.columns if money.search(c.name) and not c.type.startswith("DECIMAL")] == []


@every_table
def test_a_table_written_in_batches_says_of_each_row_which(contract: Contract) -> None:
    assert contract.partitioned == (contract.schema == "raw" or contract in {SILVER_ORDERS, *WRITTEN_WITH_ORDERS})
    assert contract.partitioned == (BATCH_COLUMN in contract.column_names)


@every_table
def test_columns_of_how_a_row_came_here_are_left_out_of_results(contract: Contract) -> None:
    left_out = set(contract.column_names) - set(contract.result_columns)
    assert left_out == ({BATCH_COLUMN} if contract.partitioned and contract != RAW_BATCHES else set())


def test_names_and_mobiles_are_columns_of_customers_only() -> None:
    personal = {"name", "mobile", "age", "income", "gender"}
    assert [c.full_name for c in TABLES.values() if personal & set(c.column_names)] == [SILVER_CUSTOMERS.full_name]


def test_what_is_published_holds_no_personal_data_and_all_kpis() -> None:
    published = {contract for contract in TABLES.values() if contract.published}
    assert set(KPI_TABLES) <= published
    assert {contract.schema for contract in published} == {"gold", "kpi"}


def test_layers_are_schemas_in_their_order() -> None:
    assert list(schemas()) == ["raw", "silver", "gold", "kpi"]


def test_every_record_can_be_traced_to_its_place_in_the_topic() -> None:
    place = ("topic_id", "partition", "offset")
    for contract in (RAW_ORDERS, SILVER_ORDERS, *BESIDE_ORDERS, SILVER_REJECTS):
        assert set(place) <= set(contract.column_names)
    assert {contract.key for contract in (RAW_ORDERS, *BESIDE_ORDERS, SILVER_REJECTS)} == {place}


@pytest.mark.parametrize("name", ["gold.customer_segments", "gold.customer_snapshots"])
def test_traits_stand_where_customers_are_scored(name: str) -> None:
    assert set(TRAITS) <= set(TABLES[name].column_names)


@pytest.mark.parametrize("name", ["raw.orders", "silver.rejected_orders"])
def test_payloads_are_compressed(name: str) -> None:
    assert '"payload" BLOB using compression zstd' in TABLES[name].ddl()


@every_table
def test_each_table_that_a_query_makes_has_its_own_file(contract: Contract) -> None:
    by_hand = {"raw.orders", "raw.batches", "gold.purchase_model", "gold.segment_model", "gold.segment_drift"}
    if contract.full_name not in by_hand:
        assert read_sql(file_of(contract.full_name)).strip()
