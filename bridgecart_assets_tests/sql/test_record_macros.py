"""Macros that take a short way: they say what the long way says, to the bit."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sql import read_sql
from bridgecart_assets_tests.support.examples import examples

INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2099, 12, 31))  # noqa: DTZ001 - as stored: UTC without zone


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'Asia/Kolkata'")
        connection.execute(read_sql("silver/tmp_record_macros"))
        yield connection


def both(connection: duckdb.DuckDBPyConnection, one: str, other: str, values: Sequence[Any]) -> tuple[Any, Any]:
    """What two expressions of `value` give for all values."""
    rows = connection.execute(f"select {one}, {other} from (select unnest(?) as value)", [values]).fetchall()
    return [row[0] for row in rows], [row[1] for row in rows]


@examples(30)
@given(st.lists(st.text(max_size=40), min_size=20, max_size=80))
def test_hashes_of_customers_are_those_that_are_stored(
    connection: duckdb.DuckDBPyConnection, customer_ids: list[str]
) -> None:
    new, stored = both(
        connection, "customer_hash_of(value)", "(md5_number_lower(value) >> 1)::bigint", ["C0000042", *customer_ids]
    )
    assert new == stored
    assert new[0] == 9_182_298_444_804_621_303


@examples(30)
@given(st.lists(st.text(max_size=40), min_size=20, max_size=80))
def test_keys_of_orders_are_those_that_are_stored(connection: duckdb.DuckDBPyConnection, order_ids: list[str]) -> None:
    new, stored = both(
        connection,
        "key_of(['C0000042', value])",
        "substr(sha256(to_json(['C0000042', value])), 1, 32)::uuid",
        ["O000000017", *order_ids],
    )
    assert new == stored
    assert new[0] == UUID(hashlib.sha256(b'["C0000042","O000000017"]').hexdigest()[:32])


@examples(30)
@given(st.lists(INSTANTS, min_size=20, max_size=80), st.sampled_from(("UTC", "America/Los_Angeles", "Asia/Kathmandu")))
def test_an_instant_and_its_day_are_those_of_the_time_zone_database(
    connection: duckdb.DuckDBPyConnection, instants: list[datetime], zone: str
) -> None:
    aware = [one.replace(tzinfo=UTC) for one in instants]
    stored, by_zone = both(connection, "utc_of(value)", "value at time zone 'UTC'", aware)
    assert stored == by_zone == instants
    days, by_zone = both(
        connection, f"day_of(value, '{zone}')", f"(value at time zone 'UTC' at time zone '{zone}')::date", instants
    )
    assert days == by_zone
