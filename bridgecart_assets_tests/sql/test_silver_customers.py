"""Customers: each attribute as it was stated last, in whatever order it came; personal data stands here only."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import RAW_ORDERS, SILVER_CUSTOMERS, SILVER_REJECTS, TABLES
from bridgecart_assets.warehouse.incremental import from_raw, scope
from bridgecart_assets.warehouse.incremental import rebuild as refreshing
from bridgecart_assets.warehouse.queries import customers_query
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.silver import Placed, Row, SilverWarehouse, place, run_customers, store_raw
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.pipeline import run_silver, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event
from bridgecart_assets_tests.support.state import digest

START = datetime(2030, 1, 1, tzinfo=UTC)
BATCH = "20300101T000000Z"
EARLIER, LATER = event(order_id="a", name="x"), event(order_id="b")


def _customers(*records: Record | Placed) -> list[Row]:
    placed = [one if isinstance(one, Placed) else place([one])[0] for one in records]
    if not any(isinstance(one, Placed) for one in records):
        placed = place([one for one in records if isinstance(one, Record)])
    warehouse = SilverWarehouse()
    store_raw(warehouse, BATCH, placed)
    run_silver(warehouse, Settings(), BATCH)
    return run_customers(warehouse)


def test_a_customer_has_the_attributes_of_the_latest_order() -> None:
    (customer,) = _customers(
        Record(event(order_id="new", purchase_date="2025-06-01T10:00:00Z", name="Asha Iyer", age=42)),
        Record(event(order_id="old", purchase_date="2025-01-01T10:00:00Z", name="Asha Rao", age=41)),
    )
    assert customer == {
        "customer_id": "C1",
        "customer_hash": 6959798596398639755,
        "name": "Asha Iyer",
        "mobile": "+91 98450 00000",
        "age": 42,
        "income": Decimal("900000.00"),
        "gender": "female",
        "first_seen_at": datetime(2025, 1, 1, 10),  # noqa: DTZ001 - as stored: UTC without zone
        "last_seen_at": datetime(2025, 6, 1, 10),  # noqa: DTZ001
    }


ATTRIBUTES = ("name", "mobile", "age", "income", "gender")
STATED = ["Asha Rao", "+91 98450 00000", 41, Decimal("900000.00"), "female"]


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(dict.fromkeys(ATTRIBUTES, ...), id="nothing"),
        pytest.param({"name": " ", "mobile": "", "age": None, "income": "", "gender": "\t"}, id="blanks"),
        pytest.param({"name": {}, "mobile": True, "age": 999, "income": -1, "gender": [1]}, id="nonsense"),
        pytest.param({**dict.fromkeys(ATTRIBUTES), "age": float("nan"), "income": float("nan")}, id="NaN"),
    ],
)
def test_what_a_later_event_does_not_say_stays(says: Row) -> None:
    (customer,) = _customers(
        Record(event(order_id="old", purchase_date="2025-01-01")),
        Record(event(order_id="refund", purchase_date="2025-06-01", purchase_amount=-5, **says)),
        Record(event(order_id="new", purchase_date="2025-07-01", **says)),
    )
    assert [customer[name] for name in ATTRIBUTES] == STATED


def test_each_attribute_is_that_of_the_latest_event_that_says_it() -> None:
    nothing = dict.fromkeys(ATTRIBUTES, ...)
    (customer,) = _customers(
        Record(event(order_id="a", purchase_date="2025-01-01", **nothing | {"name": "First", "age": 40, "income": 5})),
        Record(event(order_id="b", purchase_date="2025-02-01", **nothing | {"name": "Second", "gender": "F"})),
        Record(event(order_id="c", purchase_date="2025-03-01", **nothing | {"age": "41", "income": "much"})),
        Record(event(order_id="d", purchase_date="2025-04-01", purchase_amount=-1, **nothing | {"gender": "M"})),
    )
    assert [customer[name] for name in ATTRIBUTES] == ["Second", None, 41, Decimal("5.00"), "male"]


def test_a_customer_of_whom_nothing_is_said_is_one_all_the_same() -> None:
    (customer,) = _customers(Record(event(**dict.fromkeys(ATTRIBUTES, ...))))
    assert [customer[name] for name in ATTRIBUTES] == [None] * 5


def test_of_orders_from_before_it_was_noted_what_they_state_the_latest_speaks_for_all_attributes() -> None:
    warehouse = SilverWarehouse()
    early = event(order_id="a", purchase_date="2025-01-01", name="First")
    late = event(order_id="b", purchase_date="2025-02-01", name="Second", age=...)
    store_raw(warehouse, BATCH, place([Record(early), Record(late)]))
    run_silver(warehouse, Settings(), BATCH)
    with warehouse.transaction() as connection:
        connection.execute("update silver.orders set stated_attributes = null")
    (customer,) = run_customers(warehouse)
    assert (customer["name"], customer["age"]) == ("Second", None)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(Record(EARLIER, START), Record(LATER, START + timedelta(1)), id="Kafka timestamp"),
        pytest.param(Record(EARLIER, None), Record(LATER, START), id="no Kafka timestamp"),
        pytest.param(Record(EARLIER, START, 0), Record(LATER, START, 1), id="partition"),
        pytest.param(Record(EARLIER, START), Record(LATER, START), id="offset"),
    ],
)
def test_of_two_orders_at_the_same_instant_the_last_arrived_speaks(earlier: Record, later: Record) -> None:
    (customer,) = _customers(earlier, later)
    assert customer["name"] == "Asha Rao"


def test_of_two_incarnations_of_a_topic_each_order_is_read_from_its_own() -> None:
    customers = _customers(
        Placed(Record(event(order_id="a", customer_id="C1", name="One")), 0, topic_id="old"),
        Placed(Record(event(order_id="b", customer_id="C2", name="Two")), 0, topic_id="new"),
    )
    assert [(row["customer_id"], row["name"]) for row in customers] == [("C1", "One"), ("C2", "Two")]


def test_refunds_count_as_being_seen_duplicates_and_rejects_do_not() -> None:
    customers = _customers(
        Record(event(order_id="a", purchase_amount=-5), START),
        Record(event(order_id="a", purchase_amount=-5, name="Duplicate"), START + timedelta(1)),
        Record(event(order_id="b", customer_id="C2", purchase_amount="x"), START),
    )
    assert [(row["customer_id"], row["name"]) for row in customers] == [("C1", "Asha Rao")]


def test_attributes_are_cleaned_like_the_fields_of_an_order() -> None:
    expected = [
        ("name", "\u00a0Asha\t", "Asha"),
        ("name", 17, "17"),
        ("name", "a\0b", "a\0b"),
        ("name", "<b>आशा</b>", "<b>आशा</b>"),
        ("mobile", 919845000000, "919845000000"),
        ("age", "4.1e1", 41),
        ("age", "\t41", 41),
        ("age", 41.0, 41),
        ("income", "0.005", Decimal("0.01")),
        ("income", 1e12, Decimal("1000000000000.00")),
        ("gender", " F. ", "female"),
        ("gender", "Non-Binary", "non-binary"),
        ("gender", "fé", "fé"),
        ("gender", "女f", "女f"),
        ("gender", "...", "..."),
    ]
    customers = _customers(
        *(
            Record(event(order_id=f"{n}", customer_id=f"C{n:02}", **{field: value}))
            for n, (field, value, _) in enumerate(expected)
        )
    )
    found = [customer[field] for customer, (field, *_) in zip(customers, expected, strict=True)]
    assert found == [attribute for *_, attribute in expected]


def test_of_a_doubled_field_the_first_counts_here_as_well() -> None:
    (customer,) = _customers(Record(event(name="First")[:-1] + b', "name": "Second", "age": "old"}'))
    assert (customer["name"], customer["age"]) == ("First", 41)


STATING = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(("Asha", "Ravi", " ", None, 1.5, "\u200b", "\u00e9")),
        "mobile": st.sampled_from(("1", "", 2.0, {}, "x" * 1_001)),
        "age": st.sampled_from((1, "2", -1, 131, 41.5, float("nan"), None)),
        "income": st.sampled_from((0, "7.005", -1, 1e13, True)),
        "gender": st.sampled_from(("F", "m ", [], "unknown", "")),
    },
)
SAYS: Row = {" ": None, "": None, "\u200b": None, "F": "female", "m ": "male", "2": 2, "7.005": Decimal("7.01")}


def _stated(name: str, value: object) -> object:
    """What a value says of an attribute, read by hand; None is nothing."""
    if isinstance(value, bool | dict | list) or value in (-1, 131, 41.5, 1.5, 1e13, "x" * 1_001) or value != value:
        return None
    return "2" if (name, value) == ("mobile", 2.0) else SAYS.get(str(value), value)


@examples(15)
@given(st.lists(st.tuples(st.sampled_from(("C1", "C2")), STATING), min_size=1, max_size=10))
def test_attributes_are_those_stated_last_by_hand(events: list[tuple[str, Row]]) -> None:
    nothing = dict.fromkeys(ATTRIBUTES, ...)
    customers = _customers(
        *(
            Record(event(order_id=f"{n}", customer_id=who, purchase_date=f"2025-01-{n + 1:02}", **nothing | says))
            for n, (who, says) in enumerate(events)
        )
    )
    for customer in customers:
        expected: dict[str, object] = dict.fromkeys(ATTRIBUTES)
        for who, says in events:
            if who == customer["customer_id"]:
                expected |= {n: said for n, value in says.items() if (said := _stated(n, value)) is not None}
        assert {name: customer[name] for name in ATTRIBUTES} == expected


def test_an_incremental_refresh_keeps_what_a_later_event_does_not_say() -> None:
    nothing = dict.fromkeys(ATTRIBUTES, ...)
    records = [Record(event(order_id=f"{n}", customer_id=f"C{n:02}", purchase_date="2025-02-01")) for n in range(12)]
    later = [
        Record(event(order_id="new", customer_id="C00", purchase_date="2025-03-01", **nothing)),
        Record(event(order_id="late", customer_id="C00", purchase_date="2025-01-01", name="Too old")),
    ]
    placed = place([*records, *later])
    warehouse = SilverWarehouse()
    for batch_key, of_batch in (("1", placed[: len(records)]), ("2", placed[len(records) :])):
        store_raw(warehouse, batch_key, of_batch)
        run_silver(warehouse, Settings(), batch_key)
        with warehouse.transaction() as connection:
            write_query(connection, SILVER_CUSTOMERS, customers_query(), None, only_changes=True)
    with warehouse.reading() as connection:
        rebuilds = connection.sql("select full_rebuilds from gold.refreshes where table_name = 'silver.customers'")
        assert rebuilds.fetchall() == [(1,)]
    incremental = digest(warehouse, SILVER_CUSTOMERS)
    first, *_ = run_customers(warehouse)
    assert [first[name] for name in ATTRIBUTES] == STATED
    assert digest(warehouse, SILVER_CUSTOMERS) == incremental


def _take_in(warehouse: SilverWarehouse, batch_key: str, *, only_changes: bool = True) -> str:
    """The customers after silver of a batch, as a digest."""
    run_silver(warehouse, Settings(), batch_key)
    with warehouse.transaction() as connection:
        write_query(connection, SILVER_CUSTOMERS, customers_query(), None, only_changes=only_changes)
    return digest(warehouse, SILVER_CUSTOMERS)


ARRIVALS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(("C1", "C2", "C3")), st.integers(1, 9), STATING),
        min_size=1,
        max_size=4,
    ),
    min_size=2,
    max_size=4,
)


@examples(9)
@given(arrivals=ARRIVALS, again=st.lists(st.booleans(), min_size=4, max_size=4))
def test_customers_carried_from_batch_to_batch_are_those_of_all_orders(arrivals, again) -> None:
    nothing = dict.fromkeys(ATTRIBUTES, ...)
    # An order may come again, in another batch and with another day: then it changes hands.
    batches = [
        [
            Record(event(order_id=f"{n}", customer_id=who, purchase_date=f"2025-01-{day:02}", **nothing | says))
            for n, who, day, says in arrived
        ]
        for arrived in arrivals
    ]
    warehouse = SilverWarehouse()
    with pytest.MonkeyPatch.context() as patched:
        # A few customers are soon a large share of all.
        patched.setattr(refreshing, "_LARGE_SHARE", float("inf"))
        placed = iter(place([record for records in batches for record in records]))
        for number, records in enumerate(batches):
            store_raw(warehouse, f"{number}", list(islice(placed, len(records))))
            for batch_key in (f"{number}", *(["0"] if again[number] else [])):
                carried = _take_in(warehouse, batch_key)
                assert carried == _take_in(warehouse, batch_key, only_changes=False)


def test_of_a_customer_in_time_only_what_came_is_read() -> None:
    warehouse = SilverWarehouse()
    nothing = dict.fromkeys(ATTRIBUTES, ...)
    first = [Record(event(order_id=f"{n}", customer_id=f"C{n:02}", purchase_date="2025-02-01")) for n in range(12)]
    newer = [
        Record(event(order_id="newer", customer_id="C00", purchase_date="2025-02-02", **nothing)),
        Record(event(order_id="older", customer_id="C01", purchase_date="2025-01-31", **nothing)),
    ]
    placed = place([*first, *newer])
    store_raw(warehouse, "1", placed[: len(first)])
    store_raw(warehouse, "2", placed[len(first) :])
    _take_in(warehouse, "1")
    with warehouse.transaction() as connection:
        # Nobody notes it: who looks at all orders no longer finds them.
        connection.execute("delete from silver.orders where customer_id in ('C00', 'C01')")
    _take_in(warehouse, "2")
    with warehouse.reading() as connection:
        found = connection.sql("select name, first_seen_at from silver.customers where customer_id < 'C02' order by 1")
        assert found.fetchall() == [
            ("Asha Rao", datetime(2025, 2, 1)),  # noqa: DTZ001 - as stored: UTC without zone
            (None, datetime(2025, 1, 31)),  # noqa: DTZ001
        ]


def test_raw_is_read_as_often_in_many_parts_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = SilverWarehouse()
    placed = place([Record(event(order_id=f"{n}", customer_id=f"C{n:02}", name=f"Name {n}")) for n in range(12)])
    for number in range(3):
        store_raw(warehouse, f"{number}", placed[4 * number : 4 * number + 4])
        run_silver(warehouse, Settings(), f"{number}")
    at_once = run_customers(warehouse)
    monkeypatch.setattr(from_raw, "_RECORDS_IN_RANGE", 4)
    read: list[bytes] = []
    _note_what_is_read(warehouse, read)
    reads = []
    for orders, parts in ((100, 1), (2, 6)):
        monkeypatch.setattr(scope, "_ORDERS_IN_PART", orders)
        assert len(scope.FullScope().parts(warehouse.database)) == parts
        assert run_customers(warehouse) == at_once
        reads.append(Counter(read))
        read.clear()
    in_one, in_six = reads
    assert in_six == in_one
    assert set(in_one) == {one.record.payload for one in placed}


def _note_what_is_read(warehouse: SilverWarehouse, read: list[bytes]) -> None:
    """Note each payload of raw that is read from now on."""

    def noted(payload: bytes) -> bytes:
        read.append(payload)
        return payload

    # With side effects: else an expression that is used twice counts twice.
    warehouse.database.create_function("noted", noted, ["BLOB"], "BLOB", side_effects=True)
    with warehouse.transaction() as connection:
        connection.execute("alter table raw.orders rename to stored")
        connection.execute("create view raw.orders as select * replace (noted(payload) as payload) from raw.stored")


def test_customers_are_the_same_however_records_were_batched_and_in_whatever_order() -> None:
    names = ("Asha", "Ravi", "Mina", "Asha")
    records = place(
        [
            Record(
                event(order_id=f"{n % 5}", customer_id=f"C{n % 3}", name=names[n % 4]), START if n % 2 else None, n % 2
            )
            for n in range(12)
        ]
    )
    found = set()
    for size, backwards in ((12, False), (2, True), (5, True)):
        warehouse = SilverWarehouse()
        keys = [f"batch-{start:02}" for start in range(0, 12, size)]
        for number, key in enumerate(keys):
            store_raw(warehouse, key, records[number * size : (number + 1) * size])
        for key in reversed(keys) if backwards else keys:
            run_silver(warehouse, Settings(), key)
        run_customers(warehouse)
        found.add(digest(warehouse, SILVER_CUSTOMERS))
    assert len(found) == 1


def test_names_and_mobiles_stand_in_no_other_table_above_raw() -> None:
    # A rejected record keeps its payload as it came, like raw: what was wrong with it must be seen.
    may_hold_personal_data = {RAW_ORDERS, SILVER_REJECTS, SILVER_CUSTOMERS}
    warehouse = SilverWarehouse()
    marked = {"name": "Zebulon Quux", "mobile": "5550199887"}
    payloads = [
        event(
            order_id=f"{c}-{month}",
            customer_id=f"C{c}",
            purchase_date=f"2025-0{month}-01",
            purchase_amount=c + 1,
            **marked,
        )
        for c in range(12)
        for month in range(1, 4)
    ]
    store_raw(warehouse, BATCH, place([Record(payload) for payload in [*payloads, payloads[0], b'{"name":']]))
    run_silver(warehouse, Settings(), BATCH)
    run_whole_tables(warehouse, Settings())
    holding = set()
    with warehouse.reading() as connection:
        for contract in TABLES.values():
            if contract.name != "batches":
                text = str(connection.execute(f"select t::varchar from {contract.full_name} t").fetchall())
                if any(value in text for value in marked.values()):
                    holding.add(contract)
    assert SILVER_CUSTOMERS in holding
    assert holding <= may_hold_personal_data
