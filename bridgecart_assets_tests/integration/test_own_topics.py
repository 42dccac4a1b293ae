"""A company's own topics through the whole pipeline: what becomes of every record, whatever happens meanwhile."""

import base64
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.mapping.decoding.framing import body_of
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.test_forgetting import places
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, any_broker
from bridgecart_assets_tests.sources.mapping.records import SAMPLES, SENT_AT, sample_lines
from bridgecart_assets_tests.sources.registry.apicurio import Apicurio
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.warehouse.test_mappings import AVRO_ENDS, ENDS, NESTED_ENDS, SHOPIFY_ENDS

# What the broker is makes no difference to what is in the records; test_your_topic.py takes them from Apache Kafka.
pytestmark = any_broker
IN_BATCHES = {"BRIDGECART_MAX_BATCH_RECORDS": "5"}
SENT_MS = int(SENT_AT.timestamp() * 1000)
AVRO = json.loads((SAMPLES / "debezium-orders.avsc").read_text())
# With the records of a damaged stream it rejects nearly all of them, and that is no fault of the run.
FORGIVING = {"BRIDGECART_MAX_REJECT_SHARE": "1", "BRIDGECART_ERROR_REJECT_SHARE": "1"}


@pytest.fixture
def feed(configured_topic: TopicFactory, monkeypatch: pytest.MonkeyPatch) -> KafkaConnection:
    """A topic of one partition, so that offsets are places in the sample; reject shares are no matter here."""
    for name, value in FORGIVING.items():
        monkeypatch.setenv(name, value)
    return configured_topic(1)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apicurio]:
    """A registry of this test alone, which the settings name; it is not started."""
    folder = tmp_path / "registry"
    folder.mkdir()
    registry = Apicurio(folder)
    monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", registry.url)
    monkeypatch.setenv("BRIDGECART_MAPPING", str(SAMPLES / "mappings" / "debezium-avro.toml"))
    yield registry
    registry.stop()


def send(feed: KafkaConnection, payloads: Sequence[bytes | None]) -> None:
    """Send records, a second apart."""
    produce(feed, [(None, payload, SENT_MS + 1000 * place) for place, payload in enumerate(payloads)])


def run(killer: Killer, *arguments: str, **settings: str) -> None:
    """`bridgecart run`, which goes well."""
    done = killer.run("run", *arguments, **settings)
    assert done.returncode == 0, done.stdout + done.stderr


def avro_sample(schema_id: int) -> list[bytes | None]:
    """The records of the sample, whose schema the registry has under another id."""
    payloads = [base64.b64decode(line) or None for line in (SAMPLES / "debezium-avro.b64").read_text().splitlines()]
    return [payload and payload.replace(_framed(1, b""), _framed(schema_id, b""), 1) for payload in payloads]


# --- what the samples end as


@pytest.mark.story
@pytest.mark.parametrize(
    ("sample", "mapping", "ends", "net"),
    [
        ("nested-cents", "nested-cents", NESTED_ENDS, Decimal("73.21")),
        ("shopify-orders", "shopify", SHOPIFY_ENDS, Decimal("210.10")),
    ],
    ids=["nested-cents", "shopify-orders"],
)
def test_a_topic_of_json_ends_as_its_shop_says_in_small_batches_and_sent_twice(
    sample: str, mapping: str, ends: list[Any], net: Decimal, killer: Killer, feed: KafkaConnection,
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("BRIDGECART_MAPPING", str(SAMPLES / "mappings" / f"{mapping}.toml"))
    lines = sample_lines(sample)
    send(feed, lines)
    run(killer, **IN_BATCHES)
    assert rows(warehouse, ENDS) == ends
    assert rows(warehouse, "select sum(net_amount) from silver.orders") == [(net,)]
    produce(feed, [(None, line, SENT_MS - 1) for line in lines])
    run(killer)
    assert rows(warehouse, "select sum(net_amount) from silver.orders") == [(net,)]


def test_a_debezium_feed_in_avro_ends_as_its_table_says_killed_and_run_again(
    killer: Killer, feed: KafkaConnection, warehouse: Warehouse, registry: Apicurio
) -> None:
    registry.start()
    send(feed, avro_sample(registry.register("orders-value", json.dumps(AVRO))))
    assert killer.run_until("before commit", "run", settings=IN_BATCHES).was_killed
    run(killer, **IN_BATCHES)
    assert rows(warehouse, ENDS) == AVRO_ENDS
    assert rows(warehouse, "select sum(net_amount) from silver.orders") == [(Decimal("219.90"),)]
    in_batches = digests(warehouse)
    run(killer, "--remap")
    assert digests(warehouse) == in_batches


# --- the registry


def test_while_the_registry_is_down_nothing_is_taken_in_and_what_it_does_not_know_waits_for_it(
    killer: Killer, feed: KafkaConnection, warehouse: Warehouse, registry: Apicurio
) -> None:
    first, second = json.dumps(AVRO), json.dumps(_with_a_column(AVRO))
    send(feed, [_framed(1, _encoded(AVRO, _order(0))), _framed(2, _encoded(json.loads(second), _order(1)))])
    done = killer.run("run")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "registry" in done.stderr
    assert not warehouse.exists or rows(warehouse, "select 1 from duckdb_tables() where schema_name = 'raw'") == []

    registry.start()
    assert registry.register("orders-value", first) == 1
    run(killer)
    known = [(0, "orders", "0 10.00 2026-01-01 10:00:00")]
    assert rows(warehouse, ENDS) == [*known, (1, "rejected", "unknown_schema")]

    # Two versions of a schema in one batch, the second with a column more.
    assert registry.register("orders-value", second) == 2
    run(killer, "--remap")
    assert rows(warehouse, ENDS) == [*known, (1, "orders", "1 10.00 2026-01-01 10:00:00")]


@pytest.mark.parametrize("records", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_flipped_bytes_cost_their_own_records_alone(
    records: int, killer: Killer, feed: KafkaConnection, warehouse: Warehouse, registry: Apicurio
) -> None:
    registry.start()
    schema_id = registry.register("orders-value", json.dumps(AVRO))
    chance = random.Random(17)
    good = [_framed(schema_id, _encoded(AVRO, _order(number))) for number in range(records)]
    damaged = {number for number in range(records) if chance.random() < 0.5}
    send(feed, [_flipped(one, chance) if number in damaged else one for number, one in enumerate(good)])
    run(killer)
    assert rows(warehouse, "select count(*) from raw.orders") == [(records,)]
    untouched = {number: str(number) for number in range(records) if number not in damaged}
    # A damaged record may say a good order's id, and a higher version.
    kept = rows(
        warehouse,
        'select "offset", order_id, net_amount from silver.orders union all '
        'select "offset", order_id, net_amount from silver.superseded_orders union all '
        'select "offset", order_id, net_amount from silver.duplicate_orders',
    )
    assert {(place, order_id, Decimal("10.00")) for place, order_id in untouched.items()} <= set(kept)


def _order(number: int) -> dict[str, Any]:
    """A change of the feed, by which the table gets an order of 10 EUR."""
    sample = base64.b64decode((SAMPLES / "debezium-avro.b64").read_text().splitlines()[0])
    change: Any = fastavro.schemaless_reader(BytesIO(body_of(sample)), fastavro.parse_schema(dict(AVRO)), None)
    changed = {"id": number, "total": Decimal("10.00"), "created_at": 1_767_261_600_000_000, "status": "paid"}
    nothing = {"discount": Decimal("0.00"), "refunded": Decimal("0.00")}
    return {**change, "after": {**change["after"], **changed, **nothing}, "source": {**change["source"], "lsn": number}}


def _with_a_column(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema once the table has a column more."""
    copy: dict[str, Any] = json.loads(json.dumps(schema))
    row = copy["fields"][0]["type"][1]
    row["fields"].append({"name": "note", "type": ["null", "string"], "default": None})
    return copy


def _encoded(schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    into = BytesIO()
    fastavro.schemaless_writer(into, fastavro.parse_schema(dict(schema)), record)
    return into.getvalue()


def _framed(schema_id: int, body: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def _flipped(record: bytes, chance: random.Random) -> bytes:
    """The record with one to three bytes after its frame changed."""
    changed = bytearray(record)
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(5, len(changed))] ^= chance.randint(1, 255)
    return bytes(changed)


# --- afterwards


def test_a_mended_mapping_makes_the_warehouse_of_a_new_one(
    killer: Killer, feed: KafkaConnection, warehouse: Warehouse, settings: Settings, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    mapping = tmp_path / "mapping.toml"
    right = (SAMPLES / "mappings" / "nested-cents.toml").read_text()
    # Whoever takes cents for euros sells a hundred times as much.
    mapping.write_text(right.replace("minor_units = true", "minor_units = false"))
    monkeypatch.setenv("BRIDGECART_MAPPING", str(mapping))
    send(feed, sample_lines("nested-cents"))
    run(killer, **IN_BATCHES)
    assert rows(warehouse, "select sum(net_amount) from silver.orders") == [(Decimal(7321),)]
    mapping.write_text(right)
    run(killer, "--remap")
    assert rows(warehouse, ENDS) == NESTED_ENDS
    mended = digests(warehouse)
    shutil.move(settings.data_dir, tmp_path / "before")
    run(killer, **IN_BATCHES)
    assert digests(warehouse_from_settings(settings)) == mended


def test_a_customer_of_a_mapped_topic_is_nowhere_once_forgotten_and_stays_nowhere(
    killer: Killer, feed: KafkaConnection, warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAPPING", str(SAMPLES / "mappings" / "shopify.toml"))
    orders = [json.loads(line) for line in sample_lines("shopify-orders")]
    # Long enough for no instant or digest to have it by chance.
    whose = {"id": 7712300045671, "first_name": "Zelda", "last_name": "Quux", "phone": "+91 11111 22222"}
    theirs = [{**order, "id": order["id"] + 1000, "email": "zelda@quux.example", "customer": whose} for order in orders]
    lines = [json.dumps(order).encode() for order in (*orders, *theirs)]
    words = ("7712300045671", "Zelda", "11111 22222", "quux")
    send(feed, lines)
    run(killer, **IN_BATCHES)
    assert [place for place, found in places(settings, words) if found]
    done = killer.run("forget", "7712300045671")
    assert done.returncode == 0, done.stderr
    assert [place for place, found in places(settings, words) if found] == []
    assert rows(warehouse, "select count(*) from silver.rejected_orders where reasons = ['forgotten']") == [(6,)]
    before = _of_silver(warehouse)
    run(killer, "--remap")
    assert _of_silver(warehouse) == before
    # The topic sends them again, and the shop has other customers all the same.
    send(feed, lines[len(orders) :])
    run(killer)
    assert [place for place, found in places(settings, words) if found] == []
    assert rows(warehouse, "select sum(net_amount) from silver.orders") == [(Decimal("210.10"),)]


def _of_silver(warehouse: Warehouse) -> dict[str, str]:
    """What no model is in: a model that was fitted with them stays until the next one is."""
    return {name: digest for name, digest in digests(warehouse).items() if not name.startswith(("gold", "kpi"))}
