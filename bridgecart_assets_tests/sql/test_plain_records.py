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
from bridgecart_assets.contracts.event import EVENT
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps, with_computed
from bridgecart_assets_tests.integration.shop import history
from bridgecart_assets_tests.sql.silver import BATCH, SilverWarehouse, with_json
from bridgecart_assets_tests.sql.test_silver_contract import CASES
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.fuzz import PAYLOADS, storm
from bridgecart_assets_tests.support.records import Record, event, store_batch

MACROS = ("is_plain_text", "is_telling_text", "is_plain_amount", "is_plain_unsigned", "is_plain_time")
TEXTS = ("order_id", "customer_id", "name", "mobile", "gender", "payment_method", "product_category")


def read_events(records: Sequence[Record], *, by_rules: bool = False, **changed: Any) -> tuple[list[Any], int]:
    """What becomes of the records, and how many took the short way; `by_rules` closes it."""
    settings = Settings(**changed)
    warehouse = SilverWarehouse(naive_timezone=settings.naive_timezone)
    store_batch(warehouse, BATCH, records)
    query = silver_batch_query(settings)
    steps = with_computed(chain("silver/tmp_accepted"), query)
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
    events = storm(2_000, seed=7, victims=history(1_000), longest=Settings().max_payload_bytes)
    records = [arrived(one.value, one.timestamp_ms) for one in events]
    assert assert_both_ways_agree(records, amount_is_net=amount_is_net, naive_timezone=naive_timezone) > 100


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
WORDS = st.sampled_from(("true", "false", "nan", "inf", "infinity", "null")).flatmap(
    lambda word: st.sampled_from(
        (
            *(word[:end] for end in range(1, len(word) + 1)),
            word.upper(),
            word.title(),
            f"-{word}",
            f"{word} ",
            f"{word}1",
        )
    )
)
NUMBERS = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,13})([.][0-9]{1,10})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        ("1000000000", "999999999.995", "999999999.999999", "-0.0", "-0", "130", "131", "99", "1e9", "17.0")
    ),
    st.sampled_from(("0.005", "-0.005", "1.005", "2.675", "100", "-100", "100.01", "1e400", "9" * 40, "007")),
    # Which floating point takes for what it is not.
    st.sampled_from(
        ("1.00499999999999999", "0.1004999999999999999e1", "41.00000000000000000001", "10.000000000000000001")
    ),
)
IDS = st.one_of(
    st.uuids().map(str), st.from_regex(r"[0-9]{1,4}[-_/.eE+ x][0-9a-f.]{0,5}", fullmatch=True), st.sampled_from("10")
)
NEAR_TEXTS = st.one_of(EDGES, WORDS, NUMBERS, IDS, st.sampled_from(("é" * 99, "x" * 199, "x" * 201, "x" * 1_001)))
NEAR_TIMES = st.builds(
    "{}{}{}".format,
    st.sampled_from(("2025-03-04T09:55:00", "2025-03-04 10:00", "1989-12-31T23:30:00", "2099-12-31T23:30:00.5")),
    st.sampled_from(("", ".1", ".123456", ".1234567", ",5", ":60")),
    st.from_regex(r"Z| Z|[+-][0-9]{2}(:?[0-9]{2}){0,2}| UTC| NZ||[+-.: 0-9NU]{0,7}Z", fullmatch=True),
)
# Of any field, as JSON: the same text as a string, plain or with escapes, as a number, as a word, inside of something.
NEAR_JSON = st.one_of(
    NEAR_TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False)),
    NEAR_TEXTS.map(json.dumps),
    NEAR_TEXTS.map(lambda text: '"' + "".join(f"\\u{ord(one) & 0xFFFF:04x}" for one in text) + '"'),
    NUMBERS,
    WORDS,
    NEAR_TEXTS.map(lambda text: json.dumps([text])),
    NEAR_TEXTS.map(lambda text: json.dumps({text: text})),
)
NEAR_PLAIN = st.tuples(st.sampled_from([one.name for one in EVENT]), NEAR_JSON).map(
    lambda one: with_json(one[0], one[1], "as it is")
)
AROUND = st.sampled_from((b"%b", b"%b", b"%b", b"%b\n", b"%b\r\n", b" %b", b"\xef\xbb\xbf%b", b"%b}", b"%b\0"))


@examples(40)
@given(
    st.lists(
        st.one_of(
            NEAR_PLAIN,
            st.dictionaries(st.sampled_from(TEXTS), NEAR_TEXTS, min_size=1, max_size=2).map(
                lambda fields: event(**fields)
            ),
            NEAR_TIMES.map(lambda text: event(purchase_date=text)),
            st.tuples(NEAR_PLAIN, AROUND).map(lambda one: one[1] % one[0]),
            # A field twice.
            st.tuples(NEAR_PLAIN, NEAR_PLAIN).map(lambda both: both[0][:-1] + b"," + both[1][1:]),
            PAYLOADS,
        ),
        min_size=40,
        max_size=80,
    ),
    st.sampled_from((None, datetime(2025, 3, 4, 9, 55, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))),
    st.fixed_dictionaries(
        {
            "amount_is_net": st.booleans(),
            "naive_timezone": st.sampled_from(("UTC", "Asia/Kolkata")),
            "calendar_timezone": st.sampled_from(("UTC", "America/Los_Angeles")),
            "currency": st.sampled_from((None, "EUR")),
        }
    ),
)
def test_whatever_is_nearly_plain_ends_where_the_rules_put_it(
    payloads: list[bytes | None], kafka_timestamp: datetime | None, settings: dict[str, Any]
) -> None:
    assert_both_ways_agree([Record(payload, kafka_timestamp) for payload in payloads], **settings)


def test_ids_and_names_of_any_beginning_take_the_short_way() -> None:
    ids = ("2024-000017", "12345678-9abc-4def-8abc-123456789012", "1e4567f8-9abc-4def-8abc-123456789012", "007", "#17")
    names = ("Nandini", "Nina", "Indira", "trueish", "falsetto", "Ngô", "Ågot", "Ольга", "f", 'Ann "A" Lee')
    records = [Record(event(order_id=one)) for one in ids] + [Record(event(name=one)) for one in names]
    assert assert_both_ways_agree(records) == len(records)


def test_what_a_text_does_not_tell_of_its_json_takes_the_long_way() -> None:
    said = ("true", "1.5", "17.0", "1e5", "nan", "NaN", "-inf", "[1]", '{"a": 1}', "Infinity")
    strings = [Record(with_json("order_id", json.dumps(one), "as it is")) for one in said]
    others = [Record(with_json("order_id", one, "as it is")) for one in said]
    assert assert_both_ways_agree([*strings, *others]) == 0


def test_the_end_of_a_line_after_an_event_takes_the_short_way() -> None:
    assert assert_both_ways_agree([Record(event() + b"\n")]) == 1
