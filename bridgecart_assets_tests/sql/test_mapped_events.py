"""What a mapping has read is judged by the contract of the event, as BridgeCart's own event is."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.contracts.event import DECODING_REASONS, EVENT, RECORD_REASONS, STATE_REASONS
from bridgecart_assets.sql import read_sql
from bridgecart_assets_tests.sql.mapped import ORDER, judge_mapped
from bridgecart_assets_tests.sql.silver import judge
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.records import Record, event

SENT = datetime(2029, 1, 1)  # noqa: DTZ001 - as stored: UTC without zone
STATE: dict[str, Any] = {"version": Decimal(3), "is_void": False}
VOID: dict[str, Any] = {**dict.fromkeys(ORDER), "version": Decimal(3), "is_void": True}
REFUND = {"at": datetime(2025, 4, 1, tzinfo=UTC), "amount": Decimal("5.00")}
MAPPED_ALONE = {*STATE_REASONS} - {"missing_order_id"}


def event_of(found: dict[str, Any] | list[str]) -> dict[str, Any]:
    assert isinstance(found, dict), found
    return found


def test_a_good_order_is_an_event_with_its_amounts_and_canonical_spellings():
    event = event_of(judge_mapped({})[0])
    assert {name: event[name] for name in ("customer_id", "gross_amount", "net_amount", "payment_method")} == {
        "customer_id": "C1",
        "gross_amount": Decimal("100.00"),
        "net_amount": Decimal("90.00"),
        "payment_method": "Credit card",
    }
    assert (event["order_kind"], event["product_category"], event["purchased_at"]) == (
        *("purchase", "Books"),
        datetime(2025, 3, 4, 10),  # noqa: DTZ001 - as stored: UTC without zone
    )
    assert (event["version"], event["is_void"], event["refunds"]) == (None, None, None)


def reasons_of(found: dict[str, Any] | list[str]) -> list[str] | None:
    return found["ignored_fields"] if isinstance(found, dict) else found


def test_a_field_whose_expression_failed_costs_the_order_where_it_is_required_and_itself_where_not():
    outcomes = judge_mapped(*({one.name: None, "bad_fields": [one.name]} for one in EVENT))
    assert list(map(reasons_of, outcomes)) == [[f"bad_{one.name}"] for one in EVENT]
    assert [isinstance(found, list) for found in outcomes] == [one.required for one in EVENT]


def test_a_field_that_is_missing_costs_the_order_where_it_is_required_and_nothing_where_not():
    outcomes = judge_mapped(*({one.name: None} for one in EVENT))
    assert list(map(reasons_of, outcomes)) == [[f"missing_{one.name}"] if one.required else None for one in EVENT]


NO_ORDERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"customer_id": "c" * 201}, ["out_of_range_customer_id"]),
    ({"purchase_date": datetime(1989, 12, 31, tzinfo=UTC)}, ["out_of_range_purchase_date"]),
    ({"purchase_date": datetime(2029, 1, 1, 0, 6, tzinfo=UTC)}, ["future_purchase_date"]),
    ({"purchase_date": datetime(2100, 1, 1, tzinfo=UTC), "kafka_timestamp": None}, ["future_purchase_date"]),
    ({"kafka_timestamp": SENT - timedelta(days=20_000)}, ["bad_kafka_timestamp"]),
    ({"purchase_amount": Decimal("1000000000.01")}, ["out_of_range_purchase_amount"]),
    ({"currency": "USD"}, ["other_currency"]),
    ({"currency": "usd", "purchase_amount": None}, ["missing_purchase_amount", "other_currency"]),
    ({"unreadable": "not_json", **dict.fromkeys(ORDER)}, ["not_json"]),
    ({"unreadable": "bad_where"}, ["bad_where"]),
    ({"skipped": "where", **dict.fromkeys(ORDER)}, ["where"]),
    ({**STATE, "order_id": None}, ["missing_order_id"]),
    ({**STATE, "order_id": None, "bad_fields": ["order_id"]}, ["bad_order_id"]),
    ({**STATE, "order_id": "o" * 201}, ["out_of_range_order_id"]),
    ({**STATE, "version": None, "bad_fields": ["version"]}, ["bad_version"]),
    ({**STATE, "bad_fields": ["is_void"]}, ["bad_is_void"]),
    ({**STATE, "bad_fields": ["refunds"]}, ["bad_refunds"]),
    ({**STATE, "bad_fields": ["refunded_amount", "refunded_date"]}, ["bad_refunded_amount", "bad_refunded_date"]),
    ({**STATE, "refunds": [REFUND, {**REFUND, "at": None}]}, ["bad_refunds"]),
    ({**STATE, "refunds": [{**REFUND, "amount": None}]}, ["bad_refunds"]),
    ({**STATE, "refunds": [REFUND, {**REFUND, "amount": Decimal("-5.00")}]}, ["out_of_range_refunds"]),
    ({**STATE, "refunds": [{**REFUND, "amount": Decimal("1000000000.01")}]}, ["out_of_range_refunds"]),
    ({**STATE, "refunds": [{**REFUND, "at": datetime(1980, 1, 1, tzinfo=UTC)}]}, ["out_of_range_refunds"]),
    ({**STATE, "refunds": [{**REFUND, "at": datetime(2029, 2, 1, tzinfo=UTC)}]}, ["future_refunds"]),
]


def test_a_record_that_is_no_order_has_its_reasons_in_the_order_of_the_contract():
    good, *found = judge_mapped({}, *(changed for changed, _ in NO_ORDERS), currency="EUR")
    assert isinstance(good, dict)
    assert found == [reasons for _, reasons in NO_ORDERS]


def test_a_state_has_its_version_and_those_refunds_that_pay_something_back():
    event = event_of(
        judge_mapped({**STATE, "refunds": [{"at": None, "amount": Decimal("0.00")}, REFUND, {**REFUND, "amount": 0}]})[
            0
        ]
    )
    assert (event["version"], event["is_void"]) == (Decimal(3), False)
    assert event["refunds"] == [{"at": datetime(2025, 4, 1), "amount": Decimal("5.00")}]  # noqa: DTZ001 - as stored


def test_refunds_that_pay_nothing_back_are_none():
    assert event_of(judge_mapped({**STATE, "refunds": []})[0])["refunds"] is None
    assert event_of(judge_mapped({**STATE, "refunds": [{"at": None, "amount": 0}]})[0])["refunds"] is None


def test_an_event_that_voids_its_order_needs_the_order_id_alone():
    bad = ["customer_id", "purchase_date", "purchase_amount", "refunds", "refunded_date"]
    wrong = {"purchase_amount": Decimal("1e10"), "currency": "USD", "refunds": [{"at": None, "amount": 1}]}
    plain, failed, out_of_range = map(
        event_of,
        judge_mapped(
            {**VOID, "order_id": "V1"},
            {**VOID, "order_id": "V2", "bad_fields": bad},
            {**VOID, "order_id": "V3", **wrong},
            currency="EUR",
        ),
    )
    for one in (plain, failed, out_of_range):
        said = {name: one[name] for name in ("customer_id", "purchased_at", "net_amount", "gross_amount", "refunds")}
        assert set(said.values()) == {None}


def test_an_event_that_voids_an_order_without_an_id_is_rejected():
    assert judge_mapped(VOID | {"order_id": None}) == [["missing_order_id"]]


def test_history_without_kafka_timestamps_is_never_later_than_its_batch():
    past, future = judge_mapped(
        {"kafka_timestamp": None, "purchase_date": datetime(2029, 12, 31, tzinfo=UTC)},
        {"kafka_timestamp": None, "purchase_date": datetime(2030, 1, 1, 0, 6, tzinfo=UTC)},
    )
    assert isinstance(past, dict)
    assert future == ["future_purchase_date"]


def test_without_a_currency_of_the_shop_every_currency_counts():
    assert isinstance(judge_mapped({"currency": "USD"})[0], dict)


def test_an_event_says_which_attributes_of_its_customer_it_states():
    every, some = map(event_of, judge_mapped({}, {"name": None, "bad_fields": ["age"], "age": None, "income": -1}))
    assert every["stated_attributes"] is None
    assert some["stated_attributes"] == ["mobile", "gender"]
    assert some["ignored_fields"] == ["bad_age", "out_of_range_income"]


def test_reason_codes_of_what_only_a_mapping_has_are_those_of_the_contract():
    rules = read_sql("silver/tmp_mapped_events")
    own = {code for one in EVENT for code in one.reasons}
    assert all(f"'{code}'" in rules for code in {*STATE_REASONS, *own})
    assert not own & MAPPED_ALONE
    assert not {*RECORD_REASONS} & {*DECODING_REASONS}


INSTANTS = st.datetimes(datetime(1985, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
AMOUNTS = st.decimals(Decimal("-2e9"), Decimal("2e9"), places=2) | st.sampled_from([Decimal("0.00"), Decimal("9.99")])
FIELDS = {
    "order_id": st.none() | st.text("xy", min_size=1, max_size=3) | st.just("o" * 201),
    "customer_id": st.none() | st.sampled_from(["C1", "C2", "c" * 201]),
    "purchase_date": st.none() | INSTANTS,
    "purchase_amount": st.none() | AMOUNTS,
    "discount_amount": st.none() | AMOUNTS,
    "currency": st.none() | st.sampled_from(["EUR", "eur", "USD", "x" * 201]),
    "coupon_used": st.none() | st.booleans(),
    "payment_method": st.none() | st.sampled_from(["upi", "Cash on Delivery", "other", "p" * 201]),
    "product_category": st.none() | st.sampled_from(["books", "Else", "p" * 201]),
    "age": st.none() | st.integers(-2, 140),
    "income": st.none() | AMOUNTS,
    "name": st.none() | st.sampled_from(["Asha", "n" * 1001]),
    "mobile": st.none() | st.sampled_from(["+91", "n" * 1001]),
    "gender": st.none() | st.sampled_from(["f", "any", "g" * 201]),
}


def as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, Decimal) else value


@examples(8)
@given(st.lists(st.fixed_dictionaries(FIELDS), min_size=1, max_size=30), st.booleans())
def test_the_same_values_end_where_those_of_the_own_event_end(rows: list[dict[str, Any]], is_net: bool):
    payloads = [event(**{name: as_json(value) for name, value in row.items()}) for row in rows]
    settings = {"amount_is_net": is_net, "currency": "EUR"}
    records = [Record(payload, SENT.replace(tzinfo=UTC)) for payload in payloads]
    own = judge(records, **settings)
    # Of several events of an order the table says which counts, and what it says is all that is compared.
    found = {**own.rejects, **own.orders, **own.duplicates, **own.conflicts}
    for offset, mapped in enumerate(judge_mapped(*rows, **settings)):
        if isinstance(mapped, list):
            assert mapped == found[offset]["reasons"]
        else:
            assert {name: mapped[name] for name in found[offset] if name in mapped} == {
                name: value for name, value in found[offset].items() if name in mapped
            }
