"""Changes of segments in a topic: each exactly once, whatever is cut off where.

On Apache Kafka: the embedded broker commits transactions, but never ends one that was given up.
"""

import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import CUSTOMER_SEGMENTS, OUTBOX_TABLES
from bridgecart_assets.contracts.lifecycles import LIFECYCLES
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.errors import KafkaFailure
from bridgecart_assets.sources.kafka.transactions import Numbered, Transactions
from bridgecart_assets.warehouse import outbox as announcing
from bridgecart_assets.warehouse.erasure import erase_customers
from bridgecart_assets.warehouse.outbox import NothingToAnnounce, announce
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.migrations import MIGRATIONS
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.sources.kafka.contents import records_of
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, only_apache
from bridgecart_assets_tests.support.pipeline import run_small_shop

TOOLS = Path(__file__).parents[2] / "docs" / "tools.md"
pytestmark = only_apache
Segments = dict[str, str]
Lifecycles = Mapping[str, str | None]
NONE_TOLD: Lifecycles = MappingProxyType({})
LIFECYCLES_ARE_TOLD = MIGRATIONS.index("migrations/0008_lifecycles_are_told")


class Cut(Exception):
    """The process ends here."""


@pytest.fixture
def connection(topic: TopicFactory) -> KafkaConnection:
    return topic(3)


def score(warehouse: Warehouse, segments: Segments, lifecycles: Lifecycles = NONE_TOLD) -> None:
    """The customers that there are, and the segment and lifecycle of each."""
    with warehouse.transaction() as connection:
        prepare(connection, replace(CUSTOMER_SEGMENTS, is_view=False))
        connection.execute("delete from gold.customer_segments")
        for customer, key in segments.items():
            connection.execute(
                "insert into gold.customer_segments by name select ? as customer_id, 0 as customer_hash, "
                "date '2025-03-01' as as_of, ? as segment_key, 'any' as segment, 1 as model_version, ? as lifecycle, "
                "0 as net_sales",
                [customer, key, lifecycles.get(customer)],
            )


def tell(warehouse: Warehouse, connection: KafkaConnection) -> int:
    return announce(warehouse, connection, f"group-of-{connection.topic}")


def told(connection: KafkaConnection) -> list[dict[str, object]]:
    """What a reader of committed records finds, in the order of the numbers."""
    found = records_of(connection)
    changes = [json.loads(bytes(record["payload"])) for record in found]  # type: ignore[call-overload]
    keys = [bytes(record["key"]).decode() for record in found]  # type: ignore[call-overload]
    assert keys == [change["customer_id"] for change in changes]
    return sorted(changes, key=lambda change: change["number"])


def states(changes: list[dict[str, object]]) -> dict[str, tuple[object, object]]:
    """Segment and lifecycle as a program that believes the topic knows them.

    It would notice a change that is missing or comes twice.
    """
    known: dict[str, tuple[object, object]] = {}
    for change in changes:
        customer = str(change["customer_id"])
        assert known.get(customer, (None, None)) == (change["from"], change["lifecycle_from"]), change
        if change["to"] is None:
            del known[customer]
        else:
            known[customer] = (change["to"], change["lifecycle_to"])
        assert (change["change"] == "turned") == (change["from"] == change["to"]), change
    return known


def followed(changes: list[dict[str, object]]) -> Segments:
    """The segments as they are known so."""
    return {customer: str(key) for customer, (key, _) in states(changes).items()}


def test_first_everybody_enters_then_only_changes_are_told(warehouse: Warehouse, connection: KafkaConnection) -> None:
    score(warehouse, {"C1": "S01", "C2": "S02"})
    assert tell(warehouse, connection) == 2
    assert tell(warehouse, connection) == 0
    score(warehouse, {"C1": "S02", "C3": "unassigned"})
    assert tell(warehouse, connection) == 3
    changes = [(c["number"], c["change"], c["customer_id"], c["from"], c["to"]) for c in told(connection)]
    assert changes == [
        (1, "entered", "C1", None, "S01"),
        (2, "entered", "C2", None, "S02"),
        (3, "moved", "C1", "S01", "S02"),
        (4, "left", "C2", "S02", None),
        (5, "entered", "C3", None, "unassigned"),
    ]
    last = told(connection)[-1]
    assert (last["model_version"], last["as_of"]) == (1, "2025-03-01")


def test_a_change_of_the_lifecycle_is_told_beside_the_segment_or_alone(
    warehouse: Warehouse, connection: KafkaConnection
) -> None:
    score(warehouse, {"C1": "S01", "C2": "S02", "C3": "S02"}, {"C1": "active", "C2": "new"})
    assert tell(warehouse, connection) == 3
    score(warehouse, {"C1": "S01", "C2": "S01", "C3": "S02"}, {"C1": "at risk", "C2": "active"})
    assert tell(warehouse, connection) == 2
    assert tell(warehouse, connection) == 0
    score(warehouse, {"C2": "S01", "C3": "S02"}, {"C2": "active", "C3": "new"})
    assert tell(warehouse, connection) == 2
    fields = ("change", "customer_id", "from", "to", "lifecycle_from", "lifecycle_to")
    assert [tuple(change[field] for field in fields) for change in told(connection)] == [
        ("entered", "C1", None, "S01", None, "active"),
        ("entered", "C2", None, "S02", None, "new"),
        ("entered", "C3", None, "S02", None, None),
        ("turned", "C1", "S01", "S01", "active", "at risk"),
        ("moved", "C2", "S02", "S01", "new", "active"),
        ("left", "C1", "S01", None, "at risk", None),
        ("turned", "C3", "S02", "S02", None, "new"),
    ]


def test_a_record_has_the_fields_of_the_documents_example(warehouse: Warehouse, connection: KafkaConnection) -> None:
    score(warehouse, {"C1": "S01"})
    tell(warehouse, connection)
    (example,) = re.findall(r"```json\n(.*?)```", TOOLS.read_text(encoding="utf-8"), re.DOTALL)
    assert list(told(connection)[0]) == list(json.loads(example))


def test_a_warehouse_from_before_lifecycles_were_told_tells_them_once_and_no_segment_twice(
    warehouse: Warehouse, connection: KafkaConnection
) -> None:
    score(warehouse, {"C1": "S01", "C2": "S02"})
    assert tell(warehouse, connection) == 2
    score(warehouse, {"C1": "S01", "C2": "S02", "C3": "S01"}, {"C1": "active", "C2": "dormant", "C3": "new"})
    with warehouse.transaction() as writing:
        # One that was not sent yet.
        writing.execute(
            "insert into gold.segment_changes by name select 3 as change, 'C3' as customer_id, 'S01' as to_key, "
            "1 as model_version, date '2025-03-01' as as_of, false as sent"
        )
        writing.execute("insert into gold.announced_segments by name select 'C3' as customer_id, 'S01' as segment_key")
        writing.execute("alter table gold.announced_segments drop column lifecycle")
        for column in ("from_lifecycle", "to_lifecycle"):
            writing.execute(f"alter table gold.segment_changes drop column {column}")
        writing.execute(f"update main.layout_version set version = {LIFECYCLES_ARE_TOLD}")
    assert tell(warehouse, connection) == 4
    assert tell(warehouse, connection) == 0
    assert [(c["change"], c["customer_id"], c["lifecycle_to"]) for c in told(connection)[2:]] == [
        ("entered", "C3", None),
        ("turned", "C1", "active"),
        ("turned", "C2", "dormant"),
        ("turned", "C3", "new"),
    ]
    assert states(told(connection)) == {"C1": ("S01", "active"), "C2": ("S02", "dormant"), "C3": ("S01", "new")}


def _fails(*_: object) -> None:
    raise Cut


CUTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "before the outbox": lambda patch: patch.setattr(announcing, "_fill_outbox", _fails),
    "before anything is sent": lambda patch: patch.setattr(Transactions, "send", _fails),
    "in the middle of a transaction": lambda patch: patch.setattr(Transactions, "send", _produce_and_die),
    "after the transaction": lambda patch: patch.setattr(Transactions, "send", _send_and_die),
}


def _produce_and_die(self: Transactions, records: list[Numbered]) -> None:
    self.producer.begin_transaction()
    for record in records:
        self.producer.produce(self.connection.topic, record.value, record.key)
    self.producer.flush(10)
    raise Cut


_send = Transactions.send


def _send_and_die(self: Transactions, records: list[Numbered]) -> None:
    _send(self, records)
    raise Cut


@pytest.mark.parametrize("place", CUTS)
def test_cut_off_anywhere_the_next_time_tells_the_rest_and_nothing_twice(
    warehouse: Warehouse, connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(announcing, "CHANGES_AT_ONCE", 2)
    score(warehouse, {f"C{number}": "S01" for number in range(5)})
    with monkeypatch.context() as patch:
        CUTS[place](patch)
        with pytest.raises(Cut):
            tell(warehouse, connection)
    score(warehouse, {"C0": "S02", **{f"C{number}": "S01" for number in range(1, 6)}})
    tell(warehouse, connection)
    assert followed(told(connection)) == {"C0": "S02", **{f"C{number}": "S01" for number in range(1, 6)}}
    assert len({change["number"] for change in told(connection)}) == len(told(connection))


@pytest.mark.parametrize("seed", range(3))
def test_in_any_history_of_changes_and_cuts_a_reader_knows_every_segment(
    warehouse: Warehouse, connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    draw = random.Random(seed)
    monkeypatch.setattr(announcing, "CHANGES_AT_ONCE", 3)
    segments: Segments = {}
    lifecycles: dict[str, str | None] = {}
    for _ in range(8):
        for customer in draw.sample([f"C{number}" for number in range(9)], 4):
            if draw.random() < 0.2:
                segments.pop(customer, None)
            else:
                segments[customer] = f"S0{draw.randint(1, 3)}"
                lifecycles[customer] = draw.choice([None, *LIFECYCLES[:2]])
        score(warehouse, segments, lifecycles)
        with monkeypatch.context() as patch:
            place = draw.choice([*CUTS, "nowhere"])
            CUTS.get(place, lambda _: None)(patch)
            try:
                tell(warehouse, connection)
            except Cut:
                assert place != "nowhere"
    tell(warehouse, connection)
    assert states(told(connection)) == {customer: (key, lifecycles[customer]) for customer, key in segments.items()}


def test_an_older_sender_can_not_go_on_beside_a_newer_one(
    warehouse: Warehouse, connection: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(warehouse, {"C1": "S01", "C2": "S02"})

    def overtaken(self: Transactions, records: list[Numbered]) -> None:
        monkeypatch.setattr(Transactions, "send", _send)
        assert tell(warehouse, connection) == 2
        _send(self, records)

    monkeypatch.setattr(Transactions, "send", overtaken)
    with pytest.raises(KafkaFailure):
        tell(warehouse, connection)
    assert followed(told(connection)) == {"C1": "S01", "C2": "S02"}
    assert tell(warehouse, connection) == 0


def test_where_kafka_has_forgotten_how_far_the_topic_is_told_the_warehouse_knows(
    warehouse: Warehouse, connection: KafkaConnection
) -> None:
    score(warehouse, {"C1": "S01", "C2": "S02"})
    assert tell(warehouse, connection) == 2
    assert announce(warehouse, connection, "a-group-without-a-marker") == 0
    score(warehouse, {"C1": "S02", "C2": "S02"})
    assert announce(warehouse, connection, "a-group-without-a-marker") == 1
    assert followed(told(connection)) == {"C1": "S02", "C2": "S02"}


def test_before_the_first_refresh_there_is_nothing_to_announce(
    warehouse: Warehouse, connection: KafkaConnection
) -> None:
    with pytest.raises(NothingToAnnounce, match="bridgecart run"):
        tell(warehouse, connection)
    with warehouse.transaction():
        pass
    with pytest.raises(BridgeCartError, match="no segments yet"):
        tell(warehouse, connection)


def test_a_topic_that_is_missing_is_created(warehouse: Warehouse, broker: str) -> None:
    score(warehouse, {"C1": "S01"})
    connection = KafkaConnection(broker, topic=f"changes-{random.getrandbits(64):x}")
    assert tell(warehouse, connection) == 1
    assert followed(told(connection)) == {"C1": "S01"}


def test_forgotten_customers_are_gone_from_what_is_remembered_of_changes(
    warehouse: Warehouse, connection: KafkaConnection, settings: Settings
) -> None:
    run_small_shop(settings)
    tell(warehouse, connection)
    with warehouse.transaction() as writing:
        erase_customers(writing, settings, ["C3"])
        for table in OUTBOX_TABLES:
            sql = f"select count(*) from {table.full_name} where customer_id = 'C3'"
            assert writing.execute(sql).fetchall() == [(0,)]
    # Whoever reads the topic is not told by us: what it holds is theirs to forget.
    assert tell(warehouse, connection) == 0
