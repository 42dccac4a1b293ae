"""The event: one record a field, and what follows from it everywhere."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest

from bridgecart_assets.contracts import TABLES
from bridgecart_assets.contracts.event import EVENT, RECORD_REASONS, EventField, Flag, Home, Text, event_column
from bridgecart_assets.sources.files.purchase_log import LoggedOrder
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.sql.event_lines import EVENT_LINES
from bridgecart_assets.synthetic.catalog import CATEGORIES, GENDERS, SPELLINGS
from bridgecart_assets.synthetic.events import (
    CHOICES_TEMPLATE,
    COUPON_TEMPLATE,
    CUSTOMER_TEMPLATE,
    NO_COUPON,
    ORDER_TEMPLATE,
)
from bridgecart_assets.warehouse.storage.tables import run_steps
from bridgecart_assets_tests.sql.silver import judge
from bridgecart_assets_tests.sql.test_silver_contract import CASES
from bridgecart_assets_tests.support.records import event

FIELDS = {one.name: one for one in EVENT}
REASON = re.compile(r"'((?:missing|bad|out_of_range|future|other)_[a-z_]+)'")
# Names of silver's steps, which a field of the same name would hide.
TAKEN = (
    *("topic_id", "partition", "offset", "kafka_timestamp", "batch_key", "payload", "body", "event", "written"),
    *("unreadable", "reasons", "ignored_fields", "stated_attributes", "place"),
)

every_field = pytest.mark.parametrize("one", EVENT, ids=FIELDS)


def accepts(**fields: object) -> bool:
    return bool(judge([event(**fields)]).orders)


def test_the_examples_of_all_fields_are_a_good_event() -> None:
    assert accepts(**{one.name: one.example for one in EVENT})


@every_field
def test_an_event_goes_without_a_field_unless_it_is_required(one: EventField) -> None:
    assert accepts(**{one.name: ...}) is not one.required


@every_field
def test_a_field_that_is_an_object_costs_the_order_where_it_is_required_and_itself_where_not(one: EventField) -> None:
    found = judge([event(**{one.name: {}})]).of(0)
    reasons = found["ignored_fields"] if isinstance(found, dict) else found
    assert reasons == [f"bad_{one.name}"]
    assert isinstance(found, list) is one.required


@every_field
def test_a_field_is_a_column_of_the_table_that_it_ends_in_and_personal_data_ends_in_customers(one: EventField) -> None:
    table = TABLES[one.home.value]
    assert one.stored is None or one.stored in table.columns
    assert one.personal == (one.home is Home.CUSTOMERS)


def test_names_of_fields_are_unique_and_none_of_those_that_the_steps_use() -> None:
    assert len(FIELDS) == len(EVENT)
    assert not set(FIELDS) & set(TAKEN)
    assert all(re.fullmatch("[a-z][a-z_]*", name) for name in FIELDS)


def test_reason_codes_of_a_field_are_those_that_the_rules_give_in_their_order() -> None:
    rules = read_sql("silver/tmp_validated")
    given = dict.fromkeys(REASON.findall(rules))
    assert set(given) | {"bad_kafka_timestamp"} == {code for one in EVENT for code in one.reasons}
    first = [code for code in given if code.startswith("bad_") and code != "bad_kafka_timestamp"]
    assert first == [f"bad_{one.name}" for one in EVENT]


def test_reason_codes_of_a_whole_record_are_those_that_are_given_in_their_order() -> None:
    assert re.findall(r"then '([a-z0-9_]+)'$", read_sql("silver/tmp_documents"), re.MULTILINE) == list(RECORD_REASONS)


def test_every_reason_code_but_those_that_depend_on_more_than_the_event_is_seen_in_a_case() -> None:
    known = {*RECORD_REASONS, *(code for one in EVENT for code in one.reasons)} - {"forgotten", "other_currency"}
    assert known == {reason for case in CASES for reason in (*case.reasons, *case.ignored)}


def test_a_default_takes_the_place_of_null() -> None:
    assert [one.name for one in EVENT if one.stored and not one.stored.nullable and not one.required] == [
        one.name for one in EVENT if one.default is not None
    ]


def test_a_field_without_a_column_has_none_to_ask_for() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        event_column("purchase_amount")


def test_flags_have_no_range_and_texts_say_their_longest() -> None:
    assert Flag().limits == ""
    assert Text(longest=1_000).limits == "at most 1,000 characters"
    assert "out_of_range_coupon_used" not in FIELDS["coupon_used"].reasons


def test_what_a_made_up_world_says_has_canonical_spellings() -> None:
    with duckdb.connect() as connection:
        run_steps(connection, ("silver/tmp_spellings",), {})
        for field, values in {"payment_method": SPELLINGS, "product_category": CATEGORIES, "gender": GENDERS}.items():
            keys = [connection.execute("select lookup_key_of(?)", [value]).fetchall()[0][0] for value in values]
            assert set(keys) <= set(FIELDS[field].spellings)


def test_a_made_up_world_says_fields_of_the_event_with_all_that_are_required() -> None:
    templates = (CUSTOMER_TEMPLATE, ORDER_TEMPLATE, COUPON_TEMPLATE, NO_COUPON, CHOICES_TEMPLATE)
    said = {name.decode() for template in templates for name in re.findall(b'"([a-z_]+)":', template)}
    assert {one.name for one in EVENT if one.required} <= said <= set(FIELDS)


def test_a_replayed_purchase_log_says_fields_of_the_event_with_all_that_are_required() -> None:
    _, payload, _ = LoggedOrder(datetime(2025, 1, 1, tzinfo=UTC), "C1", Decimal("9.99")).event()
    said = set(json.loads(payload or b"{}"))
    assert {one.name for one in EVENT if one.required} <= said <= set(FIELDS)


def test_no_line_of_sql_is_left_with_a_name_in_braces() -> None:
    names = {name for group in EVENT_LINES for name in group}
    for step in chain("silver/orders", "silver/customers", "checks/silver_spellings_are_known"):
        assert not names & set(re.findall(r"\{([a-z_]+)\}", read_sql(step)))
