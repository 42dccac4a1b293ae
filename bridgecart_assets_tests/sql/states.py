"""What becomes of the states of orders that have versions, written from the definition and not from the SQL."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import BESIDE_ORDERS, ORDER_CHANGES, REFRESHES, SILVER_ORDERS
from bridgecart_assets.warehouse.mappings import MAPPED
from bridgecart_assets.warehouse.storage.outputs import Query
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.history import MemoryWarehouse
from bridgecart_assets_tests.sql.mapped import mapped_query
from bridgecart_assets_tests.sql.silver import Placed, Row, SilverWarehouse, store_raw
from bridgecart_assets_tests.support.records import Record
from bridgecart_assets_tests.support.state import rows

Place = tuple[str, int, int]

START = datetime(2030, 1, 1, tzinfo=UTC)
MARCH = datetime(2025, 3, 4, 10, tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Refund:
    """Money that was given back, and when."""

    at: datetime
    amount: Decimal


@dataclass(frozen=True)
class State:
    """A record that says a state of an order; of one that says none, why."""

    order_id: str = "A1"
    version: int | None = 1
    is_void: bool = False
    customer: str | None = "C1"
    at: datetime | None = MARCH
    amount: Decimal | None = Decimal("100.00")
    refunds: tuple[Refund, ...] = ()
    arrived_at: datetime | None = START
    topic_id: str = "t1"
    partition: int = 0
    lost: Literal["skipped", "rejected"] | None = None

    def mapped(self) -> Row:
        """As a mapping gives it."""
        return {
            "skipped": "where" if self.lost == "skipped" else None,
            "unreadable": "not_json" if self.lost == "rejected" else None,
            "order_id": self.order_id,
            "version": None if self.version is None else Decimal(self.version),
            "is_void": self.is_void,
            "customer_id": self.customer,
            "purchase_date": self.at,
            "purchase_amount": self.amount,
            "refunds": [{"at": refund.at, "amount": refund.amount} for refund in self.refunds],
        }


@dataclass(frozen=True)
class Said:
    """A state at its place in the topic."""

    state: State
    place: Place

    @property
    def recency(self) -> tuple[object, ...]:
        """Sorts the state that holds last."""
        version, arrived_at = self.state.version, self.state.arrived_at
        topic_id, partition, offset = self.place
        said_at = (arrived_at is not None, arrived_at or _NEVER)
        return (version is not None, version or 0, *said_at, partition, offset, topic_id)


@dataclass
class Fates:
    """Where every state stands, the state that stands for it, and the rows of `silver.orders`."""

    table: dict[Place, str] = field(default_factory=dict)
    winner: dict[Place, Place] = field(default_factory=dict)
    orders: list[tuple[Any, ...]] = field(default_factory=list)


def place(states: Iterable[State]) -> list[Said]:
    """States in order of arrival; offsets count up in each partition of each topic."""
    ends: dict[tuple[str, int], int] = defaultdict(int)
    placed = []
    for state in states:
        partition = (state.topic_id, state.partition)
        placed.append(Said(state, (*partition, ends[partition])))
        ends[partition] += 1
    return placed


def fates(said: Iterable[Said]) -> Fates:
    """What becomes of these states."""
    orders: dict[str, list[Said]] = defaultdict(list)
    for one in said:
        if one.state.lost is None:
            orders[one.state.order_id].append(one)
    found = Fates()
    for of_order in orders.values():
        _judge(sorted(of_order, key=lambda one: one.recency, reverse=True), found)
    return found


def _judge(last_first: Sequence[Said], found: Fates) -> None:
    holds = last_first[0]
    of_version: dict[int, Said] = {}
    for one in last_first:
        version = one.state.version
        original = one if version is None else of_version.setdefault(version, one)
        if original is not one:
            found.table[one.place], found.winner[one.place] = "duplicate_orders", original.place
        elif one is not holds:
            found.table[one.place], found.winner[one.place] = "superseded", holds.place
    if holds.state.is_void:
        found.table[holds.place], found.winner[holds.place] = "void", holds.place
    else:
        found.table[holds.place] = "orders"
        found.orders += _orders(holds)


def _orders(holds: Said) -> Iterable[tuple[Any, ...]]:
    state = holds.state
    assert state.amount is not None
    kind = "purchase" if state.amount > 0 else "zero"
    yield (*holds.place, 0, state.customer, state.at, kind, state.amount)
    for number, refund in enumerate(state.refunds, start=1):
        yield (*holds.place, number, state.customer, refund.at, "refund", -refund.amount)


def stored_fates(warehouse: SilverWarehouse) -> Fates:
    """What became of the states that silver has."""
    found = Fates()
    columns = 'topic_id, "partition", "offset", part, customer_id, purchased_at, order_kind, net_amount'
    stored = rows(warehouse, f"select {columns} from silver.orders")
    for topic_id, partition, offset, part, customer, at, kind, net in stored:
        found.orders.append((topic_id, partition, offset, part, customer, at.replace(tzinfo=UTC), kind, net))
        if part == 0:
            _stand(found, (topic_id, partition, offset), "orders")
    for table in BESIDE_ORDERS:
        name = "standing" if table.name == "superseded_orders" else f"'{table.name}'"
        for *places, stands_in in rows(
            warehouse,
            'select topic_id, "partition", "offset", winner_topic_id, winner_partition, winner_offset, '
            f"{name} from {table.full_name}",
        ):
            at_place: Place = (places[0], places[1], places[2])
            _stand(found, at_place, stands_in)
            found.winner[at_place] = (places[3], places[4], places[5])
    return found


def _stand(found: Fates, at_place: Place, stands_in: str) -> None:
    assert at_place not in found.table, "an event stands in two tables"
    found.table[at_place] = stands_in


def take_in(warehouse: MemoryWarehouse, batch_key: str, said: Sequence[Said], settings: Settings) -> None:
    """Silver of a batch in which a mapping reads these states."""
    query = store(warehouse, batch_key, said, settings)
    with warehouse.transaction() as connection:
        write_query(connection, SILVER_ORDERS, query, batch_key)


def store(warehouse: MemoryWarehouse, batch_key: str, said: Sequence[Said], settings: Settings) -> Query:
    """Raw of a batch, and the query of its silver, in which a mapping reads these states."""
    store_raw(warehouse, batch_key, [_record(one) for one in said])
    mapped = [
        {
            "topic_id": one.place[0],
            "partition": one.place[1],
            "offset": one.place[2],
            "kafka_timestamp": one.state.arrived_at.replace(tzinfo=None) if one.state.arrived_at else None,
            "batch_key": batch_key,
            **one.state.mapped(),
        }
        for one in said
    ]
    return mapped_query(settings, pa.Table.from_pylist(mapped, schema=MAPPED))


def _record(one: Said) -> Placed:
    """Its record, of which erasure asks whose it is."""
    topic_id, partition, offset = one.place
    payload = json.dumps({"customer_id": one.state.customer}).encode()
    return Placed(Record(payload, one.state.arrived_at, partition), offset, topic_id)


_NOTED = ", ".join(f'"{name}"' for name in ORDER_CHANGES.column_names if name not in ("revision", "sign"))


def follow_orders(warehouse: MemoryWarehouse) -> None:
    """Let a table follow: without one no change of orders is noted."""
    with warehouse.transaction() as connection:
        prepare(connection, REFRESHES)
        connection.execute("insert into gold.refreshes values ('gold.follower', 0, null, 1, 'state', null)")


def assert_changes_add_up(warehouse: MemoryWarehouse) -> None:
    """All that was noted since `follow_orders` must be the orders as they stand: no more, no less, no other."""
    standing = f"select {_NOTED}, count(*) as net from silver.orders group by all order by all"
    noted = f"select {_NOTED}, sum(sign) as net from silver.order_changes group by all having net <> 0 order by all"
    assert rows(warehouse, noted) == rows(warehouse, standing)


def hash_of(customer: str) -> int:
    """`customer_hash` of a customer."""
    return int.from_bytes(hashlib.md5(customer.encode()).digest()[8:], "little") >> 1


_DAYS = st.sampled_from((0, 0, 1, 20, 45)).map(lambda days: MARCH + timedelta(days=days))
_AMOUNTS = st.sampled_from(("100.00", "59.90", "0.00", "20.00")).map(Decimal)
_REFUNDS = st.lists(st.builds(Refund, _DAYS, st.sampled_from(("5.00", "9.90")).map(Decimal)), max_size=2).map(tuple)
_ARRIVALS = st.sampled_from((START, START, START + timedelta(seconds=1), START - timedelta(days=9), None))
_VERSIONS = st.one_of(st.integers(1, 4), st.integers(1, 4), st.sampled_from((None, 10**30)))
_HOW = {
    "order_id": st.sampled_from(("A1", "A1", "A2", "A3")),
    "version": _VERSIONS,
    "arrived_at": _ARRIVALS,
    "topic_id": st.sampled_from(("t1", "t1", "t2")),
    "partition": st.integers(0, 1),
}
_FULL = st.builds(
    State,
    is_void=st.sampled_from((False, False, False, True)),
    customer=st.sampled_from(("C1", "C2", "C3")),
    at=_DAYS,
    amount=_AMOUNTS,
    refunds=_REFUNDS,
    **_HOW,
)
_DELETED = st.builds(
    State, is_void=st.just(True), customer=st.none(), at=st.none(), amount=st.none(), refunds=st.just(()), **_HOW
)
_LOST = st.builds(State, lost=st.sampled_from(("skipped", "rejected")), **_HOW)
STATES = st.one_of(_FULL, _FULL, _FULL, _DELETED, _LOST)
"""Any state: of few orders and customers, so that they meet."""


@st.composite
def histories(draw: st.DrawFn, most: int) -> list[Said]:
    """States in order of arrival, some of them delivered again."""
    states = draw(st.lists(STATES, min_size=1, max_size=most))
    again = draw(st.lists(st.sampled_from(states), max_size=3))
    return place([*states, *again])


@st.composite
def batches(draw: st.DrawFn, said: Sequence[Said]) -> list[tuple[str, list[Said]]]:
    """The states cut into batches anyhow, in any order, some batches repeated."""
    owners = draw(st.lists(st.integers(0, 3), min_size=len(said), max_size=len(said)))
    cut = {
        f"batch-{owner}": [one for one, its in zip(said, owners, strict=True) if its == owner]
        for owner in sorted(set(owners))
    }
    keys = draw(st.permutations([*cut, *draw(st.lists(st.sampled_from(sorted(cut)), max_size=2))]))
    return [(key, cut[key]) for key in keys]
