"""Writing: all of an asset's tables or nothing, columns by name, and no row that breaks the contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import duckdb
import pandas as pd
import pytest

from bridgecart_assets import contracts
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import MONEY, RAW_BATCHES, RAW_ORDERS, Column, Contract
from bridgecart_assets.sources.kafka.errors import HistoryRewritten, TopicReplaced
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.warehouse.ingest.ledger import LedgerConflict, load_ledger
from bridgecart_assets.warehouse.queries import customers_query, silver_batch_query
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseMissing
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice, Table
from bridgecart_assets.warehouse.tables import (
    ContractBroken,
    count_rows,
    prepare,
    write_frame,
    write_kafka_slice,
    write_query,
)
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows

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
    before = digests(warehouse)
    store_batch(warehouse, FIRST, [*run[:-1], Record(b"{")])
    with pytest.raises(ContractBroken, match=r"silver\.rejected_orders"):
        run_silver(warehouse, settings, FIRST)
    assert digests(warehouse)["silver.orders"] == before["silver.orders"]


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


# --- the records of a topic


@pytest.fixture
def slice_of(topic: TopicFactory) -> KafkaSlice:
    """Six records in two partitions, all of which the plan covers."""
    connection = topic(2, message_timestamp_after_max_ms=str(2**63 - 1))
    at = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp() * 1_000)
    produce(connection, [(b"key-%d" % n, payload, at + n) for n, payload in enumerate(PAYLOADS)])
    state = topic_state(connection)
    plan = plan_batch(batch_key=FIRST, committed={}, state=state, max_records=100)
    return KafkaSlice(connection, plan, state.cluster_id, stall_seconds=10)


PAYLOADS = (event(order_id="1"), bytes(range(256)), None, b"", b"\0", event(order_id="2"))


def _store(warehouse: Warehouse, handed: KafkaSlice) -> None:
    with warehouse.transaction() as connection:
        write_kafka_slice(connection, handed)


def test_a_slice_is_stored_untouched_together_with_its_ledger_row(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    _store(warehouse, slice_of)
    stored = rows(warehouse, "select key, payload, kafka_timestamp, topic_id, batch_key from raw.orders order by key")
    assert [row[:2] for row in stored] == [(b"key-%d" % n, payload) for n, payload in enumerate(PAYLOADS)]
    assert stored[3][2] == datetime(2030, 1, 1, 0, 0, 0, 3_000)  # noqa: DTZ001 - as stored: UTC without zone
    assert {row[3:] for row in stored} == {(slice_of.plan.topic_id, FIRST)}
    ((records, planned, cluster),) = rows(warehouse, "select records, planned_records, cluster_id from raw.batches")
    assert (records, planned, cluster) == (6, 6, slice_of.cluster_id)
    assert load_ledger(warehouse).plans == {FIRST: slice_of.plan}


def test_the_same_slice_again_changes_nothing(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    _store(warehouse, slice_of)
    before = digests(warehouse, with_ledger=True)
    _store(warehouse, slice_of)
    assert digests(warehouse, with_ledger=True) == before


def test_a_batch_of_which_the_topic_has_other_records_keeps_its_rows(
    warehouse: Warehouse, slice_of: KafkaSlice
) -> None:
    _store(warehouse, slice_of)
    for change in ("payload = 'other'::blob", "key = null", "kafka_timestamp = kafka_timestamp + interval 1 second"):
        with warehouse.transaction() as connection:
            connection.execute(f"update raw.orders set {change} where key = 'key-1'::blob")
        before = digests(warehouse, with_ledger=True)
        with pytest.raises(HistoryRewritten, match=f"batch {FIRST} cannot be read again: .* in place of 1 of its own"):
            _store(warehouse, slice_of)
        assert digests(warehouse, with_ledger=True) == before
        with warehouse.transaction() as connection:
            connection.execute("delete from raw.orders where key is null or key = 'key-1'::blob")
        # A row that was lost is read again.
        _store(warehouse, slice_of)
        assert rows(warehouse, "select count(*) from raw.orders") == [(6,)]


def test_the_last_record_of_each_partition_is_kept_with_the_batch_and_looked_for_after_the_next_one_was_read(
    warehouse: Warehouse, slice_of: KafkaSlice
) -> None:
    _store(warehouse, slice_of)
    known = load_ledger(warehouse).known
    last = known[slice_of.plan.topic_id].last_records
    assert {p: record.offset + 1 for p, record in last.items()} == slice_of.plan.ends
    produce(slice_of.connection, [(b"key-%d" % n, b"next", 0) for n in range(6)])
    state = topic_state(slice_of.connection, known)
    plan = plan_batch(batch_key=SECOND, committed=slice_of.plan.ends, state=state, max_records=100)
    following = replace(slice_of, plan=plan, known=known)
    other = {0: replace(last[0], digest="0" * 16)}
    rewritten = {plan.topic_id: replace(known[plan.topic_id], last_records=other)}
    before = digests(warehouse, with_ledger=True)
    with pytest.raises(HistoryRewritten, match="its history was rewritten"):
        _store(warehouse, replace(following, known=rewritten))
    assert digests(warehouse, with_ledger=True) == before
    _store(warehouse, following)
    assert rows(warehouse, "select count(*) from raw.orders") == [(12,)]


def test_a_slice_kafka_can_no_longer_serve_keeps_the_rows_it_had(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    gone = BatchPlan(FIRST, slice_of.plan.topic, "another-topic", {0: OffsetRange(0, 2), 1: OffsetRange(0, 0)})
    store_batch(warehouse, FIRST, [Record(b"kept"), Record(b"kept")], topic_id=gone.topic_id)
    with warehouse.transaction() as connection:
        ranges = [{"partition": p, "start": r.start, "end": r.end} for p, r in gone.ranges.items()]
        connection.execute("update raw.batches set topic = ?, ranges = ?", [gone.topic, ranges])
    before = digests(warehouse, with_ledger=True)
    with pytest.raises(TopicReplaced):
        _store(warehouse, KafkaSlice(slice_of.connection, gone, slice_of.cluster_id, stall_seconds=10))
    assert digests(warehouse, with_ledger=True) == before


def test_a_slice_cut_by_its_bytes_stores_how_far_it_came_and_the_next_goes_on_there(
    warehouse: Warehouse, slice_of: KafkaSlice
) -> None:
    state = topic_state(slice_of.connection)
    keys = iter(f"20300101T0000{number:02}Z" for number in range(60))
    for _ in range(6):
        committed = load_ledger(warehouse).committed(state.topic_id)
        plan = plan_batch(batch_key=next(keys), committed=committed, state=state, max_records=100)
        if plan.records:
            _store(warehouse, KafkaSlice(slice_of.connection, plan, None, stall_seconds=10, max_bytes=1))
    assert load_ledger(warehouse).committed(state.topic_id) == slice_of.plan.ends
    assert rows(warehouse, "select payload from raw.orders order by key") == [(payload,) for payload in PAYLOADS]
    assert rows(warehouse, "select count(*), max(records), max(planned_records) from raw.batches") == [(6, 1, 1)]


def test_a_hole_is_stored_with_the_batch_behind_it(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    whole = slice_of.plan.ranges[0]
    lost = OffsetRange(0, 1)
    behind = replace(slice_of.plan, ranges={0: OffsetRange(1, whole.end)}, lost={0: lost})
    _store(warehouse, replace(slice_of, plan=behind))
    assert load_ledger(warehouse).plans == {FIRST: behind}
    assert rows(warehouse, "select lost from raw.batches") == [([{"partition": 0, "start": 0, "end": 1}],)]


def test_a_plan_that_another_run_overtook_stores_nothing(warehouse: Warehouse, slice_of: KafkaSlice) -> None:
    _store(warehouse, slice_of)
    before = digests(warehouse, with_ledger=True)
    late = BatchPlan(SECOND, slice_of.plan.topic, slice_of.plan.topic_id, slice_of.plan.ranges)
    with pytest.raises(LedgerConflict):
        _store(warehouse, KafkaSlice(slice_of.connection, late, slice_of.cluster_id, stall_seconds=10))
    assert digests(warehouse, with_ledger=True) == before


@pytest.mark.parametrize("contract", [RAW_ORDERS, RAW_BATCHES, *contracts.KPI_TABLES], ids=lambda c: c.full_name)
def test_preparing_a_table_twice_is_harmless(tmp_path: Path, contract: Contract) -> None:
    with Warehouse(tmp_path / "bridgecart.duckdb").transaction() as connection:
        prepare(connection, contract)
        prepare(connection, contract)
        assert count_rows(connection, contract) == 0
