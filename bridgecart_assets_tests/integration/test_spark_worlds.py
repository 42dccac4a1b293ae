"""Worlds that DuckDB and Spark take in side by side: tables, checks and page are the same, whatever happens there."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridgecart_assets.contracts import Contract
from bridgecart_assets.sources.files.cdnow import read_cdnow
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import Event, produce
from bridgecart_assets.synthetic import WorldConfig, simulate
from bridgecart_assets.warehouse import spark_engine
from bridgecart_assets.warehouse.lake import shares
from bridgecart_assets.warehouse.lake.shares import Division, Work
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.contracts.test_a_new_field import COUNTRY, apply_recipe
from bridgecart_assets_tests.integration.line import MID_READ_BYTES, line_to
from bridgecart_assets_tests.integration.market import settings_for
from bridgecart_assets_tests.integration.shop import history
from bridgecart_assets_tests.integration.test_own_topics import AVRO, FORGIVING, IN_BATCHES, avro_sample, send
from bridgecart_assets_tests.integration.test_your_topic import follow
from bridgecart_assets_tests.integration.twins import Twins, timeless
from bridgecart_assets_tests.integration.worlds import World, random_world
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, any_broker
from bridgecart_assets_tests.sources.mapping.records import SAMPLES, sample_lines
from bridgecart_assets_tests.sources.registry.apicurio import Apicurio
from bridgecart_assets_tests.support import topics
from bridgecart_assets_tests.support.command_line import Bridgecart, bridgecart
from bridgecart_assets_tests.support.recipes import ROOT, ProjectCopy
from bridgecart_assets_tests.support.spark import leaves_sockets, spark_in_this_process
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.test_recipes import KPI, add_a_kpi, add_a_trait, copied
from bridgecart_assets_tests.test_recipes import shop as shop_of_recipes

__all__ = ["bridgecart", "shop_of_recipes"]

pytestmark = [
    # A busy machine takes its time.
    pytest.mark.timeout(1_200),
    leaves_sockets,
]

SAMPLE, SAMPLE_ORDERS = 1, 300
SEEDS, ORDERS = range(100, 106), 700
PORTIONS, SMALL_ONES = 250, 6
DAY_MS = 86_400_000
COUNTS = 'select count(*), count(distinct ("partition", "offset")) from raw.orders'
TIER = """    EventField(name="tier", type=Text(longest=5), meaning="Tier", example="gold", home=Home.CUSTOMERS),
"""
TELL_ALL = """
import json
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.support.state import digests, rows

warehouse = warehouse_from_settings(load_settings())
distinct = "select distinct {0} from silver.{1} order by {0} nulls last"
countries, tiers = (
    [value for (value,) in rows(warehouse, distinct.format(*asked))]
    for asked in (("shipping_country", "orders"), ("tier", "customers"))
)
print(json.dumps({"countries": countries, "tiers": tiers, "tables": digests(warehouse)}))
"""
BY_WORKERS = {"BRIDGECART_SPARK_BATCH_RECORDS": "1"}
SENT_AGAIN = "select count(*) > 0 from silver.rejected_orders where reasons = ['forgotten']"

by_workers_or_here = pytest.mark.parametrize("how", [BY_WORKERS, {}], ids=["read by workers", "read here"])


@pytest.fixture(scope="module")
def spark() -> Iterator[Mapping[str, str]]:
    """Spark, once for all worlds."""
    with spark_in_this_process() as settings:
        yield settings


@pytest.fixture
def twins(bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spark: Mapping[str, str]) -> Twins:
    """Two empty data directories. A few orders make several shares."""
    monkeypatch.setattr(shares, "ORDERS_IN_SHARE", 100)
    return Twins(bridgecart, monkeypatch, tmp_path, spark)


@pytest.fixture
def feed(configured_topic: TopicFactory) -> KafkaConnection:
    """A topic that the settings name."""
    return configured_topic(3)


def write_lines(file: Path, orders: Iterable[object]) -> Path:
    file.write_text("".join(f"{json.dumps(order)}\n" for order in orders), encoding="utf-8")
    return file


def take_in(twins: Twins, feed: KafkaConnection, events: Sequence[Event]) -> None:
    produce(feed, events)
    twins.do("run")
    twins.assert_same()


def taken_in_after_the_move(
    world: World, twins: Twins, feed: KafkaConnection, chance: Random, patch: pytest.MonkeyPatch
) -> None:
    """The first portion in the file, customers forgotten, all of it read otherwise; the others in the lake."""
    first, second, *others = world.portions
    produce(feed, first)
    assert twins.by("duckdb", "run").code == 0
    forgotten = several_customers(twins, [second, *others], chance)
    assert twins.by("duckdb", "forget", *forgotten).code == 0
    configure(patch, world.others)
    assert twins.by("duckdb", "run", "--remap").code == 0
    twins.move()
    again = [event for event in first if _customer(event) in forgotten]
    for portion in ([*again, *second], *others):
        take_in(twins, feed, portion)
    assert [rows(warehouse, SENT_AGAIN) for warehouse in twins.warehouses] == [[(True,)]] * 2


def forgotten_and_read_again_in_the_lake(world: World, twins: Twins, chance: Random, patch: pytest.MonkeyPatch) -> None:
    """Customers forgotten, and all of it read as the first portion was at first."""
    twins.do("forget", *chance.sample(sorted(_customers(twins)), 2))
    twins.assert_same()
    configure(patch, world.settings)
    twins.do("run", "--remap")
    twins.assert_same()


def configure(patch: pytest.MonkeyPatch, settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        patch.setenv(name, value)


def several_customers(twins: Twins, portions: Sequence[Sequence[Event]], chance: Random) -> Sequence[str]:
    """Three customers who have orders and will send more."""
    known = _customers(twins)
    coming = {_customer(event) for portion in portions for event in portion}
    return chance.sample(sorted(known & coming), 3)


def _customers(twins: Twins) -> set[str]:
    return {customer for (customer,) in rows(twins.warehouses[0], "select customer_id from silver.customers")}


def _customer(event: Event) -> str:
    return (event[0] or b"").decode()


@any_broker
def test_a_world_of_late_changed_and_forgotten_orders_that_workers_read_is_the_same_after_it_moved_into_the_lake(
    twins: Twins, feed: KafkaConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = random_world(SAMPLE, SAMPLE_ORDERS, tmp_path, portions=2)
    configure(monkeypatch, {**world.settings, **BY_WORKERS})
    taken_in_after_the_move(world, twins, feed, Random(SAMPLE), monkeypatch)


@any_broker
def test_what_few_customers_change_is_taken_in_without_the_others(
    twins: Twins, feed: KafkaConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = history(ORDERS)
    produce(feed, events)
    assert twins.by("duckdb", "run").code == 0
    twins.move()
    made = noted_shares(monkeypatch)
    newest, older = events[-1], events[ORDERS // 2]
    of_today = [
        changed(newest, order_id="new", name="Another name"),
        changed(newest, order_id="first", customer_id="somebody new"),
    ]
    late = [
        changed(older, order_id="late", purchase_amount=70_000),
        changed(older, order_id="back", purchase_amount=-20),
    ]
    for portion in (of_today, late):
        take_in(twins, feed, portion)
    twins.do("withdraw", "late", "--reason", "sent by mistake")
    twins.assert_same()
    assert made == []
    take_in(twins, feed, [changed(newest, order_id="of the next day", purchase_date="2026-01-01T12:00:00.000Z")])
    assert made == ["gold.customer_scores", "gold.customer_openings"]


def noted_shares(patch: pytest.MonkeyPatch) -> Sequence[str]:
    """The tables that are made share by share from now on."""
    made: list[str] = []
    make = shares.make_by_shares

    def make_and_note(rows: Mapping[Contract, Any], division: Division, work: Work) -> Any:
        made.append(work.targets[0].full_name)
        return make(rows, division, work)

    patch.setattr(spark_engine, "make_by_shares", make_and_note)
    return made


def changed(event: Event, **fields: Any) -> Event:
    """Another order like that of this event, sent ten days after it."""
    _, value, timestamp = event
    assert value is not None
    written = {**json.loads(value), **fields}
    return written["customer_id"].encode(), json.dumps(written).encode(), timestamp + 10 * DAY_MS


@any_broker
@pytest.mark.slow
@by_workers_or_here
@pytest.mark.parametrize("moves", [True, False], ids=["moved", "in the lake from the beginning"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_world_is_the_same(
    seed: int,
    twins: Twins,
    feed: KafkaConnection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    moves: bool,
    how: Mapping[str, str],
) -> None:
    world = random_world(seed, ORDERS, tmp_path, portions=3)
    configure(monkeypatch, {**world.settings, **how})
    if moves:
        taken_in_after_the_move(world, twins, feed, Random(seed), monkeypatch)
        forgotten_and_read_again_in_the_lake(world, twins, Random(seed), monkeypatch)
    else:
        for portion in world.portions:
            take_in(twins, feed, portion)


@any_broker
@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_small_batches_of_a_random_world_are_the_same_without_the_other_customers(
    seed: int, twins: Twins, feed: KafkaConnection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = random_world(seed, ORDERS, tmp_path, portions=PORTIONS)
    # After all of them: what is new does not make another day of it.
    configure(monkeypatch, {**world.settings, "BRIDGECART_AS_OF": "2026-01-10"})
    produce(feed, list(chain.from_iterable(world.portions[:-SMALL_ONES])))
    assert twins.by("duckdb", "run").code == 0
    twins.move()
    made = noted_shares(monkeypatch)
    for portion in world.portions[-SMALL_ONES:]:
        take_in(twins, feed, portion)
    assert made == []


@any_broker
@pytest.mark.slow
@by_workers_or_here
def test_the_demo_is_the_same(
    twins: Twins, feed: KafkaConnection, monkeypatch: pytest.MonkeyPatch, how: Mapping[str, str]
) -> None:
    configure(monkeypatch, how)
    monkeypatch.setattr(shares, "ORDERS_IN_SHARE", 30_000)
    take_in(twins, feed, [event for batch in simulate(WorldConfig()).history() for event in batch])


@any_broker
@pytest.mark.slow
@by_workers_or_here
def test_the_cdnow_log_is_the_same_in_batches_and_sent_twice(
    twins: Twins, feed: KafkaConnection, monkeypatch: pytest.MonkeyPatch, how: Mapping[str, str]
) -> None:
    configure(monkeypatch, how)
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_RECORDS", "2500")
    monkeypatch.setattr(shares, "ORDERS_IN_SHARE", 2_000)
    events = list(read_cdnow().events())
    take_in(twins, feed, events)
    take_in(twins, feed, events[::3])


@any_broker
@pytest.mark.slow
@pytest.mark.parametrize("how", [{**BY_WORKERS, "BRIDGECART_MAX_BATCH_RECORDS": "100"}, {}], ids=["workers", "here"])
@pytest.mark.parametrize("sample", ["nested-cents", "shopify-orders", "debezium-avro"])
def test_a_sample_of_a_companys_own_topic_is_the_same_in_batches_and_sent_twice(
    sample: str,
    twins: Twins,
    configured_topic: TopicFactory,
    apicurio: Apicurio,
    monkeypatch: pytest.MonkeyPatch,
    how: Mapping[str, str],
) -> None:
    mapping = SAMPLES / "mappings" / f"{sample.removesuffix('-orders')}.toml"
    settings = {**FORGIVING, **IN_BATCHES, **how, "BRIDGECART_MAPPING": str(mapping)}
    records: Sequence[bytes | None]
    if sample == "debezium-avro":
        settings["BRIDGECART_SCHEMA_REGISTRY_URL"] = apicurio.url
        records = avro_sample(apicurio.register("orders-value", json.dumps(AVRO)))
    else:
        records = sample_lines(sample)
    configure(monkeypatch, settings)
    topic = configured_topic(1)
    for _ in range(2):
        send(topic, records)
        twins.do("run")
        twins.assert_same()


@any_broker
@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "records"),
    [
        ("your-topic.md", topics.shop_events),
        ("topic-webhooks.md", topics.webhooks),
        ("topic-tracking-plan.md", topics.tracked),
    ],
)
def test_a_guide_leads_to_the_same_kpis(
    page: str,
    records: "type[Iterable[bytes]]",
    topic: TopicFactory,
    spark: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = topic(3)
    send(connection, list(records()))
    named = {
        "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "BRIDGECART_KAFKA_TOPIC": connection.topic,
    }
    followed_alike(page, named, spark, tmp_path, monkeypatch)


@pytest.mark.slow
def test_the_guide_of_a_file_leads_to_the_same_kpis(
    spark: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed_alike("history.md", {}, spark, tmp_path, monkeypatch)


def followed_alike(
    page: str, named: Mapping[str, str], spark: Mapping[str, str], folder: Path, patch: pytest.MonkeyPatch
) -> None:
    shown = {}
    for engine, settings in {"duckdb": {}, "spark": spark}.items():
        configure(patch, settings)
        (folder / engine).mkdir()
        (folder / engine / "history.csv").write_text(topics.exported(), encoding="utf-8")
        shown[engine] = timeless(follow(page, folder / engine, **named))
    assert shown["spark"] == shown["duckdb"]
    first, second = (Warehouse(folder / engine / "data" / "bridgecart.duckdb") for engine in shown)
    assert rows(second, "select count(*) > 0 from lake.heads") == [(True,)]
    assert digests(second) == digests(first)


@pytest.mark.slow
def test_a_new_kpi_and_a_new_trait_need_not_a_line_for_spark(
    shop_of_recipes: Path, spark: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies, seen = {}, {}
    for engine, settings in {"duckdb": {}, "spark": spark}.items():
        configure(monkeypatch, settings)
        copies[engine] = copy = copied(shop_of_recipes, tmp_path / engine)
        add_a_kpi(copy)
        add_a_trait(copy)
        if engine == "spark":
            copy.tell("-m", "bridgecart_assets", "move", "--to", "spark")
        seen[engine] = copy.seen()
    assert seen["spark"]["metadata"]["gold/customer_segments"]["engine"] == "spark"
    assert [seen["spark"][what] == seen["duckdb"][what] for what in ("checks", "summary")] == [True, True]
    published = sorted(
        f"{file.parent.name}/{file.stem}" for file in (copies["duckdb"].data / "published").rglob("*.parquet")
    )
    assert {f"kpi/{KPI}", "gold/customer_segments"} <= set(published)
    for table in published:
        first, second = (copy.published("from published order by all", table) for copy in copies.values())
        assert first == second, table


def test_a_version_that_knows_more_fields_goes_on_in_the_lake(
    spark: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = simulate(WorldConfig(orders=200, share_malformed=0.0)).history()
    told = [json.loads(event.value) for event in chain.from_iterable(days) if event.value is not None]
    with_more = [{**order, "shipping_country": "india", "tier": "gold"} for order in told[-60:]]
    before, after = (
        write_lines(tmp_path / name, orders) for name, orders in (("a.jsonl", told[:-60]), ("b.jsonl", with_more))
    )
    newer = ProjectCopy.into(tmp_path / "newer")
    apply_recipe(newer, COUNTRY + TIER, "shipping_country", "tier")
    found = {}
    for engine, settings in {"duckdb": {}, "spark": spark}.items():
        configure(monkeypatch, {**settings, "BRIDGECART_DATA_DIR": str(tmp_path / engine)})
        ProjectCopy(ROOT).run("-m", "bridgecart_assets", "import", str(before))
        newer.run("-m", "bridgecart_assets", "import", str(after))
        found[engine] = json.loads(newer.run("-c", TELL_ALL))
    assert found["spark"] == found["duckdb"]
    assert found["spark"]["countries"] == ["IN", None]
    assert found["spark"]["tiers"] == ["gold", None]


@pytest.mark.kafka
def test_a_broker_killed_while_workers_read_a_batch_is_read_to_its_end_once_it_is_back(
    twins: Twins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with line_to("apache", tmp_path / "line") as line:
        shop = line.open_empty_shop()
        stall = {"BRIDGECART_KAFKA_STALL_SECONDS": "3"}
        configure(monkeypatch, {**settings_for(shop.connection), **stall, **BY_WORKERS})
        shop.sell(100)
        twins.do("run")
        line.sell_out(shop)
        line.proxy.when_answered(MID_READ_BYTES, line.kill)
        failed = twins.by("spark", "run")
        assert failed.code == 1, failed.err
        assert "served nothing for 3 s at offset" in failed.err
        _, warehouse = twins.warehouses
        assert rows(warehouse, COUNTS) == [(100, 100)]
        line.come_back()
        twins.do("run")
        twins.assert_same()
        assert rows(warehouse, COUNTS) == [(shop.sent, shop.sent)]
