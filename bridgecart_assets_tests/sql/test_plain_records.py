"""Records that are plainly right take a short way through silver: it must lead where the rules lead."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import WITHDRAWN_ORDERS
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps
from bridgecart_assets_tests.integration.shop import history
from bridgecart_assets_tests.sql.silver import BATCH, SilverWarehouse, with_json
from bridgecart_assets_tests.sql.test_silver_contract import CASES
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.fuzz import PAYLOADS, storm
from bridgecart_assets_tests.support.records import Record, event, store_batch

MACROS = ("is_plain_text", "is_plain_amount", "is_plain_unsigned", "is_plain_time", "is_short_string")
TEXTS = ("order_id", "customer_id", "name", "mobile", "gender", "payment_method", "product_category")
AMOUNTS = ("purchase_amount", "discount_amount", "income", "age")


def read_events(records: Sequence[Record], *, by_rules: bool = False, **changed: Any) -> tuple[list[Any], int]:
    """What becomes of the records, and how many took the short way; `by_rules` closes it."""
    settings = Settings(**changed)
    warehouse = SilverWarehouse(naive_timezone=settings.naive_timezone)
    store_batch(warehouse, BATCH, records)
    query = silver_batch_query(settings)
    computed = {step.file: step for step in query.computed}
    steps = [computed.get(file, file) for file in chain("silver/tmp_accepted")]
    start = steps.index("silver/tmp_plain_macros") + 1
    parameters = {**query.parameters, "batch_key": BATCH}
    with warehouse.transaction() as connection:
        prepare(connection, WITHDRAWN_ORDERS)
        run_steps(connection, steps[:start], parameters)
        if by_rules:
            close_the_short_way(connection)
        run_steps(connection, steps[start:], parameters)
        found = connection.sql("select * from accepted order by all").fetchall()
        found += connection.sql("select * from refused order by all").fetchall()
        ((plain,),) = connection.sql("select count(*) filter (is_plain) from fields").fetchall()
    return found, plain


def close_the_short_way(connection: duckdb.DuckDBPyConnection) -> None:
    for macro in MACROS:
        connection.execute(f"create or replace temp macro {macro}(field) as false")


def assert_both_ways_agree(records: Sequence[Record], **changed: Any) -> int:
    """The rules find the same; returns how many records took the short way."""
    found, plain = read_events(records, **changed)
    by_rules, none = read_events(records, by_rules=True, **changed)
    assert none == 0
    assert len(found) == len(records)
    assert found == by_rules
    return plain


def arrived(payload: bytes | None, timestamp_ms: int) -> Record:
    return Record(payload, datetime.fromtimestamp(min(timestamp_ms, 253_402_300_799_999) / 1_000, UTC))


def test_every_case_of_the_contract_ends_where_the_rules_put_it() -> None:
    assert assert_both_ways_agree([Record(case.payload, case.kafka_timestamp) for case in CASES]) > 0


@pytest.mark.parametrize(("amount_is_net", "naive_timezone"), [(False, "UTC"), (True, "Asia/Kolkata")])
def test_a_storm_of_damaged_orders_ends_where_the_rules_put_it(amount_is_net: bool, naive_timezone: str) -> None:
    events = storm(4_000, seed=7, victims=history(2_000), longest=Settings().max_payload_bytes)
    records = [arrived(one.value, one.timestamp_ms) for one in events]
    assert assert_both_ways_agree(records, amount_is_net=amount_is_net, naive_timezone=naive_timezone) > 200


def test_all_good_orders_of_a_shop_take_the_short_way() -> None:
    records = [arrived(one.value, one.timestamp_ms) for one in history(2_000)]
    found, plain = read_events(records)
    assert len(found) == len(records)
    assert plain == sum(isinstance(row[0], type(found[0][0])) for row in found)


def test_an_order_of_the_least_fields_or_with_numbers_for_ids_takes_the_short_way() -> None:
    optional = ("order_id", "name", "mobile", "gender", "age", "income", "discount_amount", "coupon_used")
    bare = event(**dict.fromkeys((*optional, "payment_method", "product_category"), ...))
    nulls = event(**dict.fromkeys((*optional, "payment_method", "product_category")))
    records = [Record(payload) for payload in (bare, nulls, event(order_id=17, customer_id=-17), event())]
    assert assert_both_ways_agree(records) == len(records)


def test_currencies_end_where_the_rules_put_them_and_that_of_the_shop_takes_the_short_way() -> None:
    values: tuple[Any, ...] = ("EUR", "eur", " EUR", "USD", "", None, {}, 978)
    records = [Record(event(order_id=f"{n}", currency=one)) for n, one in enumerate(values)]
    assert assert_both_ways_agree(records, currency="EUR") == 3
    assert assert_both_ways_agree(records) == 5


# Around what is plain: invisible ends, quotes and escapes, letters that look like JSON's own words, the limits.
EDGES = st.text('AzÉ0-+. "\\\\\t\xa0\u200b\ufeff\u115f\u3000\x7f\x85😀,:{}[]tfnNI', max_size=8)
NEAR_TEXTS = st.one_of(
    EDGES, st.sampled_from(("true", "null", "NaN", "-Infinity", "1.5", "-17", "0", "é" * 99, "x" * 199, "x" * 201))
)
NEAR_NUMBERS = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,13})([.][0-9]{1,10})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(("1000000000", "999999999.995", "999999999.999999", "-0.0", "130", "131", "99", "1e9", "NaN")),
    st.sampled_from(("0.005", "-0.005", "1.005", "2.675", "100", "-100", "100.01", "null", "true", '"5"', '" 5"')),
)
NEAR_TIMES = st.builds(
    "{}{}{}".format,
    st.sampled_from(("2025-03-04T09:55:00", "2025-03-04 10:00", "1989-12-31T23:30:00", "2099-12-31T23:30:00.5")),
    st.sampled_from(("", ".1", ".123456", ".1234567", ":60")),
    st.from_regex(r"Z| Z|[+-][0-9]{2}(:?[0-9]{2}){0,2}| UTC|", fullmatch=True),
)


@examples(30)
@given(
    st.lists(
        st.one_of(
            st.dictionaries(st.sampled_from(TEXTS), NEAR_TEXTS, min_size=1, max_size=2).map(
                lambda fields: event(**fields)
            ),
            st.tuples(st.sampled_from(TEXTS), NEAR_TEXTS).map(
                lambda one: with_json(one[0], json.dumps(one[1], ensure_ascii=False), "as it is")
            ),
            st.tuples(st.sampled_from(AMOUNTS), NEAR_NUMBERS).map(lambda one: with_json(one[0], one[1], "number")),
            NEAR_TIMES.map(lambda text: event(purchase_date=text)),
            PAYLOADS,
        ),
        min_size=20,
        max_size=80,
    ),
    st.sampled_from((None, datetime(2025, 3, 4, 9, 55, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))),
    st.booleans(),
)
def test_whatever_is_nearly_plain_ends_where_the_rules_put_it(
    payloads: list[bytes | None], kafka_timestamp: datetime | None, amount_is_net: bool
) -> None:
    assert_both_ways_agree([Record(payload, kafka_timestamp) for payload in payloads], amount_is_net=amount_is_net)
