"""Erasing customers: what goes, what stays, and that nothing brings them back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import (
    BEHIND_VIEWS,
    CLV_GROWTH,
    ERASURE_TABLES,
    KPI_TABLES,
    RAW_ORDERS,
    SILVER_REJECTS,
    TABLES,
)
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.erasure import Erasure, UnknownCustomer, erase_customers
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets_tests.sql.history import (
    compute,
    records,
    spend_model,
    store_model,
    store_purchase_model,
    tiny_settings,
)
from bridgecart_assets_tests.sql.silver import (
    Placed,
    Row,
    SilverWarehouse,
    broken_rules,
    place,
    run_customers,
)
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.rereading import read_batch
from bridgecart_assets_tests.support.state import digest, digests

FIRST, SECOND = "20300101T000000Z", "20300101T000100Z"
SETTINGS = tiny_settings()
MARKER = b'{"forgotten": true}'
NOTHING = Erasure(customers=1, records=0, orders=0, duplicates=0, rejected=0)


def shop_with(*batches: Sequence[Record | bytes | None], settings: Settings = SETTINGS) -> SilverWarehouse:
    """A warehouse with these batches, up to silver."""
    warehouse = SilverWarehouse()
    everything = place([one if isinstance(one, Record) else Record(one) for batch in batches for one in batch])
    start = 0
    for batch_key, batch in zip((FIRST, SECOND), batches, strict=False):
        read_batch(warehouse, batch_key, everything[start : start + len(batch)])
        run_silver(warehouse, settings, batch_key)
        start += len(batch)
    return warehouse


def computed(warehouse: SilverWarehouse) -> SilverWarehouse:
    compute_all(warehouse)
    return warehouse


def compute_all(warehouse: SilverWarehouse, settings: Settings = SETTINGS) -> None:
    """Everything after silver, under a model of two segments."""
    run_customers(warehouse)
    store_purchase_model(warehouse)
    store_model(warehouse, spend_model())
    compute(warehouse, settings)


def forget(warehouse: SilverWarehouse, *customer_ids: str, settings: Settings = SETTINGS) -> Erasure:
    with warehouse.transaction() as connection:
        return erase_customers(connection, settings, customer_ids)


def reasons(warehouse: SilverWarehouse) -> dict[int, list[str]]:
    return {row["offset"]: row["reasons"] for row in records(warehouse, "from silver.rejected_orders")}


def customers(warehouse: SilverWarehouse) -> list[str]:
    return [row["customer_id"] for row in records(warehouse, "from silver.orders order by purchased_at, order_key")]


def everything_said(warehouse: SilverWarehouse) -> str:
    """All values of all tables as one text."""
    tables = [*(table for table in TABLES.values() if not table.is_view), *BEHIND_VIEWS, *ERASURE_TABLES]
    return "\n".join(str(row) for table in tables for row in records(warehouse, f"from {table.full_name}"))


# --- what goes


def test_nothing_of_the_customer_is_left_in_any_table():
    gone = {"customer_id": "C-gone", "name": "Zelda Quux", "mobile": "+91 11111 22222"}
    warehouse = shop_with(
        [
            Record(event(order_id="A1", **gone), key=b"C-gone", headers=(("customer", b"C-gone"),)),
            event(order_id="A2", customer_id="C-here"),
            event(order_id="A1", **gone),
            event(order_id="A3", purchase_amount="a lot", **gone),
            event(order_id="A4", **{**gone, "purchase_date": "2031-01-01T00:00:00Z"}),
            event(order_id="A5", **{**gone, "purchase_date": "no date"}),
            event(order_id="A6", **gone)[:-20],
            event(order_id="A7", **gone).decode().encode("utf-16"),
        ]
    )
    compute_all(warehouse)
    assert forget(warehouse, "C-gone") == Erasure(customers=1, records=6, orders=1, duplicates=1, rejected=4)
    said = everything_said(warehouse)
    assert "C-here" in said
    assert [word for word in ("C-gone", "Zelda", "11111") if word in said] == []
    assert reasons(warehouse) == {n: ["forgotten"] for n in (0, 2, 3, 4, 5, 6)} | {7: ["not_utf8"]}
    kept = records(warehouse, 'select * from raw.orders where "offset" in (0, 2, 3, 4, 5)')
    assert [(row["key"], row["headers"], row["payload"], row["batch_key"]) for row in kept] == [
        (None, None, MARKER, FIRST)
    ] * 5
    assert broken_rules(warehouse, FIRST) == []


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Record(b'{"customer_id": "C1", "na'), id="JSON that was cut off"),
        pytest.param(Record(b"\xffC1\xff"), id="bytes that are no text"),
        pytest.param(Record(b'["C1"]'), id="no object"),
        pytest.param(Record(event(customer_id=...), key=b"C1"), id="known by its key only"),
        pytest.param(Record(event(customer_id=..., referred_by="C1")), id="in a field we do not know"),
        pytest.param(Record(event(customer_id={"id": "C1"})), id="in an object"),
        pytest.param(Record(None, key=b"C1"), id="tombstone"),
        pytest.param(Record(None, headers=(("of", b"C1"),)), id="in a header"),
        pytest.param(Record(event(customer_id="C1", name="x" * 300_000)), id="oversized"),
        pytest.param(Record(event(customer_id=" C1\t", purchase_amount="x")), id="white space around the id"),
    ],
)
def test_a_record_that_is_no_order_goes_when_it_bears_the_id(record: Record):
    warehouse = shop_with([record, event(customer_id="C2")])
    assert forget(warehouse, "C1").rejected == 1
    assert reasons(warehouse) == {0: ["forgotten"]}
    # Read again it does not come back, whatever it was known by.
    read_batch(warehouse, FIRST, place([record, Record(event(customer_id="C2"))]))
    run_silver(warehouse, SETTINGS, FIRST)
    assert reasons(warehouse) == {0: ["forgotten"]}
    assert customers(warehouse) == ["C2"]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(Record(b'{"customer_id": "C12", "na'), id="a longer id"),
        pytest.param(Record(b'{"customer_id": "BC1", "na'), id="a longer id before"),
        pytest.param(
            Record(event(customer_id="C2", purchase_amount="", referred_by="C1")), id="another customer's record"
        ),
        pytest.param(Record(None, key=b"C2"), id="another tombstone"),
    ],
)
def test_a_record_of_somebody_else_stays(record: Record):
    warehouse = shop_with([event(customer_id="C1"), record])
    before = records(warehouse, 'from raw.orders where "offset" = 1')
    assert forget(warehouse, "C1").records == 1
    assert records(warehouse, 'from raw.orders where "offset" = 1') == before
    assert reasons(warehouse)[1] != ["forgotten"]


@pytest.mark.parametrize("customer_id", ["a.b*c", "[x](y", "Zoë", 'say "hi"', "it's", "a\\b", "07", "客户"])
def test_an_id_is_taken_by_the_letter(customer_id: str):
    cut_off = json.dumps({"customer_id": customer_id, "name": "Ann"}, ensure_ascii=False)[:-1].encode()
    warehouse = shop_with([event(customer_id=customer_id), event(customer_id="C2", order_id="A2"), cut_off])
    assert forget(warehouse, customer_id).orders == 1
    assert customers(warehouse) == ["C2"]


def test_the_order_of_another_customer_with_the_same_id_stays_with_its_duplicate():
    mine = event(order_id="A1", customer_id="C2")
    warehouse = shop_with([event(order_id="A1", customer_id="C1"), mine], [mine])
    assert forget(warehouse, "C1") == Erasure(customers=1, records=1, orders=1, duplicates=0, rejected=0)
    (order,) = records(warehouse, "from silver.orders")
    (duplicate,) = records(warehouse, "from silver.duplicate_orders")
    assert (order["customer_id"], order["offset"], order["batch_key"]) == ("C2", 1, FIRST)
    assert (duplicate["offset"], duplicate["winner_offset"], duplicate["batch_key"]) == (2, 1, SECOND)
    assert [broken_rules(warehouse, batch) for batch in (FIRST, SECOND)] == [[], []]


def test_a_batch_that_silver_has_not_seen_is_erased_in_raw_and_rejected_when_it_does():
    warehouse = shop_with([event(customer_id="C2")])
    read_batch(warehouse, SECOND, [Placed(Record(event(order_id="A2", customer_id="C1")), 1)])
    assert forget(warehouse, "C1") == Erasure(customers=1, records=1, orders=0, duplicates=0, rejected=0)
    assert reasons(warehouse) == {}
    run_silver(warehouse, SETTINGS, SECOND)
    assert reasons(warehouse) == {1: ["forgotten"]}


def test_erased_records_do_not_count_as_faults_of_the_source():
    warehouse = shop_with([event(customer_id="C1"), event(customer_id="C2", order_id="A2")])
    forget(warehouse, "C1")
    with warehouse.reading() as connection:
        parameters: dict[str, Parameter] = {"batch_key": FIRST}
        assert rows_of(connection, read_sql("checks/silver_reject_share_is_low"), parameters)[1] == []


# --- who is known


def test_nobody_is_erased_when_one_of_them_is_unknown_and_the_error_names_no_id():
    warehouse = shop_with([event(customer_id="C1")])
    before = digests(warehouse)
    with pytest.raises(UnknownCustomer, match=r"^No record of customer 2, 3 of the 3 given, and nobody was") as raised:
        forget(warehouse, "C1", "Zelda", " ")
    assert "Zelda" not in str(raised.value)
    assert digests(warehouse) == before


def test_forgetting_again_changes_nothing():
    warehouse = shop_with([event(customer_id="C1"), event(customer_id="C2", order_id="A2")])
    forget(warehouse, "C1")
    before = [digests(warehouse), *(records(warehouse, f"from {table.full_name}") for table in ERASURE_TABLES)]
    assert forget(warehouse, "C1", "C1") == NOTHING
    assert [digests(warehouse), *(records(warehouse, f"from {table.full_name}") for table in ERASURE_TABLES)] == before


def test_what_is_kept_of_the_customer_is_a_salted_hash():
    warehouses = [shop_with([event(customer_id="C1")]) for _ in range(2)]
    for warehouse in warehouses:
        forget(warehouse, "C1")
    (one,), (other,) = (records(warehouse, "from raw.forgotten_customers") for warehouse in warehouses)
    assert one["forgotten_before"] == datetime(2025, 3, 5)  # noqa: DTZ001 - as stored
    assert one["customer_hash"] != other["customer_hash"]
    assert len(one["customer_hash"]) == len(other["customer_hash"]) == 64


def test_the_day_until_which_orders_are_erased_ends_in_the_shops_calendar():
    settings = Settings(**{**SETTINGS.model_dump(), "calendar_timezone": "America/Los_Angeles"})
    warehouse = shop_with([event(customer_id="C1", purchase_date="2025-03-04T23:00:00-08:00")], settings=settings)
    forget(warehouse, "C1", settings=settings)
    (kept,) = records(warehouse, "from raw.forgotten_customers")
    assert kept["forgotten_before"] == datetime(2025, 3, 5, 8)  # noqa: DTZ001 - as stored


def test_one_salt_serves_the_whole_warehouse():
    warehouse = shop_with([event(customer_id=f"C{n}", order_id=f"A{n}") for n in range(3)])
    forget(warehouse, "C0", "C1")
    forget(warehouse, "C2")
    kept = records(warehouse, "from raw.forgotten_customers")
    assert (len(kept), len({row["salt"] for row in kept})) == (3, 1)


# --- nobody comes back


def test_late_copies_of_the_customers_records_are_erased_on_arrival():
    mine = [
        Record(event(order_id="A1", customer_id="C1")),
        Record(event(order_id="A2", customer_id="C1", purchase_date="2025-01-01T00:00:00Z")),
        Record(event(order_id="A3", customer_id="C1", purchase_date="no date")),
        Record(None, key=b"C1"),
        Record(event(customer_id=...), key=b" C1"),
    ]
    warehouse = shop_with([event(customer_id="C1"), event(customer_id="C2", order_id="B1")])
    forget(warehouse, "C1")
    read_batch(warehouse, SECOND, [Placed(record, n + 2) for n, record in enumerate(mine)])
    run_silver(warehouse, SETTINGS, SECOND)
    assert reasons(warehouse) == {n: ["forgotten"] for n in (0, 2, 3, 4, 5, 6)}
    assert "C1" not in everything_said(warehouse)
    assert broken_rules(warehouse, SECOND) == []


def test_who_orders_again_after_that_day_is_a_new_customer():
    warehouse = shop_with([event(customer_id="C1"), event(customer_id="C2", order_id="B1")])
    forget(warehouse, "C1")
    again = event(order_id="A9", customer_id="C1", purchase_date="2025-03-05T00:00:00Z")
    read_batch(warehouse, SECOND, [Placed(Record(again, key=b"C1"), 2)])
    run_silver(warehouse, SETTINGS, SECOND)
    assert customers(warehouse) == ["C2", "C1"]
    assert forget(warehouse, "C1").orders == 1
    (kept,) = records(warehouse, "from raw.forgotten_customers")
    assert kept["forgotten_before"] == datetime(2025, 3, 6)  # noqa: DTZ001 - as stored


def test_as_long_as_nobody_was_forgotten_records_are_stored_as_they_arrive():
    warehouse = SilverWarehouse()
    record = Record(event(), key=b"C1", headers=(("a", b"b"),))
    read_batch(warehouse, FIRST, [Placed(record, 0)])
    (stored,) = records(warehouse, "select key, headers, payload from raw.orders")
    assert stored == {"key": b"C1", "headers": [{"name": "a", "value": b"b"}], "payload": record.payload}


# --- the bridge


def spender(customer: str, month: int, amount: int, day: int = 10) -> bytes:
    return event(
        order_id=f"{customer}-{month}-{day}",
        customer_id=customer,
        purchase_date=f"2025-{month:02}-{day}T00:00:00Z",
        purchase_amount=amount,
    )


def growth(warehouse: SilverWarehouse, period: str, key: str) -> Row:
    (row,) = records(warehouse, "from kpi.clv_growth where period = ?::date and segment_key = ?", period, key)
    return row


YEAR = [
    *(spender("large", month, 300) for month in (1, 2, 3)),
    *(spender("other", month, 400) for month in (1, 2, 3)),
    *(spender("small", month, 20) for month in (2, 3)),
    spender("new", 3, 50),
]


def test_the_customers_value_at_the_opening_of_the_current_period_is_removed_in_the_bridge():
    warehouse = computed(shop_with(YEAR))
    before = growth(warehouse, "2025-03-01", "S01")
    assert (before["opening_clv"], before["customers"]) == (Decimal(1400), 2)
    forget(warehouse, "large", "small", "new")
    compute_all(warehouse)
    assert records(warehouse, "from gold.erased_value order by segment_key") == [
        {"period_unit": "month", "period": march(), "segment_key": "S01", "customers": 1, "net_sales": Decimal(600)},
        {"period_unit": "month", "period": march(), "segment_key": "S02", "customers": 1, "net_sales": Decimal(20)},
    ]
    row = growth(warehouse, "2025-03-01", "S01")
    terms = ("customers", "opening_clv", "organic", "new_customers", "removed", "closing_clv", "clv_growth")
    assert [row[term] for term in terms] == [2, 1400, 400, 0, 600, 1200, pytest.approx(1200 / 800 - 1)]
    left = growth(warehouse, "2025-03-01", "S02")
    assert [left[term] for term in terms] == [1, 20, 0, 0, 20, 0, None]
    assert left["clv_growth_reason"] == "opening_value_not_positive"
    assert growth(warehouse, "2025-02-01", "S01")["closing_clv"] == 800, "the past never had the customer"
    assert open_bridges(warehouse) == []


def test_what_was_removed_stays_removed_in_its_period_when_time_goes_on():
    warehouse = computed(shop_with(YEAR))
    forget(warehouse, "large")
    read_batch(warehouse, SECOND, [Placed(Record(spender("other", 5, 100)), len(YEAR))])
    run_silver(warehouse, SETTINGS, SECOND)
    compute_all(warehouse)
    removed = [growth(warehouse, f"2025-0{month}-01", "S01")["removed"] for month in (2, 3, 4, 5)]
    assert removed == [0, 600, 0, 0]
    forget(warehouse, "other")
    compute_all(warehouse)
    assert open_bridges(warehouse) == []


def test_two_erased_in_one_period_are_one_sum():
    warehouse = computed(shop_with(YEAR))
    forget(warehouse, "large")
    compute_all(warehouse)
    forget(warehouse, "other")
    (kept,) = records(warehouse, "from gold.erased_value")
    assert (kept["customers"], kept["net_sales"]) == (2, Decimal(1400))


def test_periods_of_another_length_know_nothing_of_the_removal():
    warehouse = computed(shop_with(YEAR))
    forget(warehouse, "large")
    weekly = tiny_settings(kpi_period="week")
    compute_all(warehouse, weekly)
    assert records(warehouse, "select count(*) as n from kpi.clv_growth where removed <> 0") == [{"n": 0}]
    assert open_bridges(warehouse) == []
    compute_all(warehouse)
    assert growth(warehouse, "2025-03-01", "S01")["removed"] == 600


def march() -> Any:
    return datetime(2025, 3, 1, tzinfo=UTC).date()


def open_bridges(warehouse: SilverWarehouse) -> list[object]:
    """What the checks of the bridge find."""
    with warehouse.reading() as connection:
        return [
            row
            for check in ("clv_bridge_closes", "clv_closes_into_next_opening", "clv_ties_to_orders")
            for row in rows_of(connection, read_sql(f"checks/{check}"), {"as_of": None})[1]
        ]


# --- whatever happened before


@dataclass(frozen=True)
class Sent:
    """A record and whose it is; None: nobody's."""

    customer: str | None
    record: Record


def _sent(customer: str, kind: str, partition: int, **fields: Any) -> Sent:
    if kind == "nobody's":
        return Sent(None, Record(b"{", partition=partition))
    payload = event(customer_id=customer, **fields)
    if kind == "tombstone":
        return Sent(customer, Record(None, partition=partition, key=customer.encode()))
    return Sent(customer, Record(payload[:60] if kind == "cut off" else payload, partition=partition))


SENT = st.builds(
    _sent,
    customer=st.sampled_from(("C1", "C2", "C3", "C12")),
    kind=st.sampled_from(("event",) * 8 + ("cut off", "tombstone", "nobody's")),
    partition=st.integers(0, 1),
    order_id=st.sampled_from((None, None, "A1", "A2")),
    purchase_date=st.sampled_from(
        ("2025-01-10", "2025-01-31T23:59:59Z", "2025-02-10", "2025-03-01", "2025-03-10", "2031-01-01", "soon")
    ),
    purchase_amount=st.sampled_from((20, 30, 300, 400.5, 0, -20, "many")),
)


@st.composite
def _stories(draw: st.DrawFn) -> tuple[list[Sent], int, list[str]]:
    """Records, where the second batch begins, and who is forgotten."""
    sent = draw(st.lists(SENT, min_size=1, max_size=20))
    known = sorted({one.customer for one in sent if one.customer})
    forgotten = draw(st.lists(st.sampled_from(known), min_size=1, unique=True)) if known else []
    return sent, draw(st.integers(0, len(sent))), forgotten


@examples(10)
@example(([_sent(customer, "event", 0, order_id="A1") for customer in ("C1", "C2", "C3", "C1")], 2, ["C1"]))
@example(
    (
        [
            _sent("C1", "event", 0, purchase_date="2025-01-10", purchase_amount=300),
            _sent("C2", "event", 0, purchase_date="2025-01-10", purchase_amount=30),
            _sent("C2", "event", 1, purchase_date="2025-03-10", purchase_amount=30),
        ],
        1,
        ["C1"],
    )
)
@given(_stories())
def test_the_tables_are_those_of_a_history_in_which_the_forgotten_never_were(
    story: tuple[list[Sent], int, list[str]],
) -> None:
    sent, cut, forgotten = story
    placed = place([one.record for one in sent])
    batches = {FIRST: placed[:cut], SECOND: placed[cut:]}
    theirs = {
        (record.record.partition, record.offset)
        for record, one in zip(placed, sent, strict=True)
        if one.customer in forgotten
    }
    warehouse, never = SilverWarehouse(), SilverWarehouse()
    for batch_key, of_batch in batches.items():
        read_batch(warehouse, batch_key, of_batch)
        others = [one for one in of_batch if (one.record.partition, one.offset) not in theirs]
        read_batch(never, batch_key, others)
        for one in (warehouse, never):
            run_silver(one, SETTINGS, batch_key)
    for one in (warehouse, never):
        compute_all(one)

    erasure = forget(warehouse, *forgotten) if forgotten else NOTHING
    assert erasure.records == len(theirs)
    after = digests(warehouse)
    for batch_key, of_batch in reversed(batches.items()):
        read_batch(warehouse, batch_key, of_batch)
        run_silver(warehouse, SETTINGS, batch_key)
        assert broken_rules(warehouse, batch_key) == []
    assert [digest(warehouse, table) for table in BY_BATCH] == [after[table.full_name] for table in BY_BATCH]

    compute_all(warehouse)
    found, expected = digests(warehouse), digests(never)
    alike = [name for name in expected if name not in DIFFERENT]
    assert {name: found[name] for name in alike} == {name: expected[name] for name in alike}
    assert _others_rows(warehouse) == _others_rows(never)
    assert _bridge_without_erased(warehouse) == _bridge_without_erased(never)
    assert open_bridges(warehouse) == []


BY_BATCH = [table for table in TABLES.values() if {"offset", "batch_key"} <= set(table.column_names)]
# The history takes its number of customers from clv_growth, which counts the erased; a check holds the two together.
DIFFERENT = {table.full_name for table in (RAW_ORDERS, SILVER_REJECTS, CLV_GROWTH, contracts.SEGMENT_METRICS_HISTORY)}


def _others_rows(warehouse: SilverWarehouse) -> list[Row]:
    return [
        row
        for table in (RAW_ORDERS, SILVER_REJECTS)
        for row in records(
            warehouse,
            f"from {table.full_name} where payload is distinct from '{MARKER.decode()}'::blob "
            'order by "partition", "offset"',
        )
    ]


def _bridge_without_erased(warehouse: SilverWarehouse) -> list[Row]:
    """The KPI with what was erased taken off again: of the period that removed it, and of no other."""
    with warehouse.transaction() as connection:
        for table in ERASURE_TABLES:
            connection.execute(table.ddl())
    return records(
        warehouse,
        "select g.* exclude (customers, clv_growth_mix_included, clv_growth_reason, predicted_clv_growth_reason, "
        "low_sample, opening_clv, removed), "
        "g.customers - coalesce(e.customers, 0) as customers, "
        "g.opening_clv - coalesce(e.net_sales, 0) as opening_clv, g.removed - coalesce(e.net_sales, 0) as removed "
        "from kpi.clv_growth g left join gold.erased_value e using (period, segment_key) order by period, segment_key",
    )


def test_the_tables_of_erasure_are_no_assets_and_every_kpi_makes_the_one_it_reads():
    assert not set(ERASURE_TABLES) & set(TABLES.values())
    warehouse = SilverWarehouse()
    store_batch(warehouse, FIRST, [])
    run_silver(warehouse, SETTINGS, FIRST)
    compute_all(warehouse)
    assert [records(warehouse, f"from {table.full_name}") for table in KPI_TABLES] == [[], [], [], []]
    assert records(warehouse, "from gold.erased_value") == []
