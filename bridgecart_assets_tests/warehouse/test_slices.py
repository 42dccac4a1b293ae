"""Slices: the records of a plan and their ledger row are stored untouched, together, or not at all."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.sources.kafka.errors import HistoryRewritten, ReadStalled, TopicReplaced
from bridgecart_assets.sources.kafka.offsets import BatchPlan, OffsetRange, plan_batch
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.records import RECORD_SCHEMA
from bridgecart_assets.warehouse import slices
from bridgecart_assets.warehouse.ingest.ledger import LedgerConflict, load_ledger
from bridgecart_assets.warehouse.slices import write_kafka_slice
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.outputs import KafkaSlice
from bridgecart_assets.warehouse.storage.tables import ContractBroken
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.handed import Handed, Row, a_record
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests, rows

FIRST, SECOND = "20300101T000000Z", "20300101T000100Z"


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


# --- records as a reader hands them over, without a broker


def _write(connection: duckdb.DuckDBPyConnection, *chunks: Sequence[Row], failure: BaseException | None = None) -> None:
    plan = BatchPlan(FIRST, "orders", "id-1", {p: OffsetRange(0, 10**6) for p in range(3)})
    slices._write_slice(connection, plan, partial(Handed, plan, chunks, failure), read_by=None)


def _take_in(warehouse: Warehouse, *chunks: Sequence[Row], failure: BaseException | None = None) -> None:
    with warehouse.transaction() as connection:
        _write(connection, *chunks, failure=failure)


_instants = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31, 23), timezones=st.just(UTC))  # noqa: DTZ001
_said = st.fixed_dictionaries(
    {
        "kafka_timestamp": st.none() | _instants,
        "timestamp_type": st.sampled_from([None, "create", "append"]),
        "key": st.none() | st.binary(max_size=3),
        "headers": st.none()
        | st.lists(
            st.fixed_dictionaries({"name": st.text(max_size=3), "value": st.none() | st.binary(max_size=3)}), max_size=2
        ),
        "payload": st.none() | st.binary(max_size=20),
    }
)
_places = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=12)


@st.composite
def _chunked(draw: st.DrawFn) -> list[list[Row]]:
    """Records of three partitions, with gaps as transactions leave them, in chunks of any sizes."""
    reached = [-1, -1, -1]
    chunks: list[list[Row]] = [[]]
    for partition, step in draw(_places):
        reached[partition] += step
        chunks[-1].append(a_record(partition, reached[partition], **draw(_said)))
        if draw(st.booleans()):
            chunks.append([])
    return chunks


@examples(25)
@given(chunks=_chunked())
def test_raw_holds_the_records_as_they_came_in_their_order_however_they_were_cut_into_chunks(
    chunks: list[list[Row]],
) -> None:
    names = ", ".join(f'"{name}"' for name in RECORD_SCHEMA.names)
    expected = [row for chunk in chunks for row in chunk]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for cut in (chunks, [expected]):
            _write(connection, *cut)
            found = connection.execute(f"select {names} from raw.orders order by rowid").fetchall()
            assert [dict(zip(RECORD_SCHEMA.names, row, strict=True)) for row in found] == [
                {**row, "kafka_timestamp": row["kafka_timestamp"] and row["kafka_timestamp"].replace(tzinfo=None)}
                for row in expected
            ]
            assert connection.execute("select records from raw.batches").fetchall() == [(len(expected),)]


@pytest.mark.parametrize(
    "chunks",
    [
        [[a_record(0, 4), a_record(0, 4)]],
        [[a_record(0, 4), a_record(1, 4)], [a_record(1, 5), a_record(0, 4)]],
        [[a_record(0, 4), a_record(1, 0), a_record(0, 3)]],
    ],
    ids=["in one chunk", "in two chunks", "out of order"],
)
def test_a_record_that_a_reader_hands_over_twice_breaks_the_contract_and_nothing_is_stored(
    warehouse: Warehouse, chunks: list[list[Row]]
) -> None:
    with pytest.raises(ContractBroken, match=r"offset [34] of partition 0 comes after 4"):
        _take_in(warehouse, *chunks)
    assert rows(warehouse, "select count(*) from duckdb_tables() where schema_name = 'raw'") == [(0,)]


def test_a_record_that_a_statement_stores_twice_breaks_the_contract(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubling = slices._Arrival("from chunk, range(2)")
    monkeypatch.setattr(slices, "_screen", lambda *_: doubling)
    with pytest.raises(ContractBroken, match="2 records became 4 rows"):
        _take_in(warehouse, [a_record(0, 1), a_record(0, 2)])


@pytest.mark.parametrize("failure", [ReadStalled("partition 0 served nothing"), KeyboardInterrupt(), MemoryError()])
def test_what_stops_the_reading_in_mid_stream_is_raised_as_what_it_is_and_nothing_is_stored(
    warehouse: Warehouse, failure: BaseException
) -> None:
    settings = "select current_setting('threads'), current_setting('write_buffer_row_group_count')"
    with warehouse.transaction() as connection:
        before = connection.execute(settings).fetchall()
    with pytest.raises(type(failure)) as raised:
        _take_in(warehouse, [a_record(0, 1)], [a_record(0, 2)], failure=failure)
    assert raised.value is failure
    assert rows(warehouse, "select count(*) from duckdb_tables() where schema_name = 'raw'") == [(0,)]
    assert rows(warehouse, settings) == before
