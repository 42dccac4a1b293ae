"""Poison in masses, and what was refused replayed after the contract was mended."""

import hashlib
import json
import logging
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.jobs import SILVER_BATCH
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.synthetic import Event, WorldConfig, simulate
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.measured import measured
from bridgecart_assets_tests.integration.shop import Shop, history
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, any_broker, only_apache
from bridgecart_assets_tests.support.fuzz import storm
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.support.verdicts import verdict

logger = logging.getLogger(__name__)

SEED = 20_260_131
ANY_TIME = {"message_timestamp_after_max_ms": str(2**62), "message_timestamp_before_max_ms": str(2**62)}
Order = tuple[str, datetime, Decimal]


@dataclass
class Sent:
    """What went into the topic: records, a sum over their bytes, and every good order."""

    records: int = 0
    checksum: int = 0
    good: list[Order] = field(default_factory=list)

    def counting(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events, counted as they pass."""
        for event in events:
            self.records += 1
            if event.value is not None:
                self.checksum += int(hashlib.sha256(event.value).hexdigest()[:15], 16)
            yield event


def good_orders(count: int) -> Iterator[Event]:
    """Orders and refunds, each of them valid and sent once."""
    world = simulate(WorldConfig(seed=SEED, orders=count, share_redelivered=0, share_malformed=0))
    for batch in world.history():
        yield from batch


def mixed(good: Iterable[Event], fuzzed: Iterable[Event], share: float, sent: Sent) -> Iterator[Event]:
    """Good orders scattered among the fuzzed records; `share` is theirs of the whole."""
    chance = random.Random(SEED)
    rest = iter(fuzzed)
    for event in good:
        while chance.random() >= share and (poison := next(rest, None)) is not None:
            yield poison
        sent.good.append(as_order(event))
        yield event
    yield from rest


def as_order(event: Event) -> Order:
    document = json.loads(event.value or b"", parse_float=Decimal, parse_int=Decimal)
    purchased_at = datetime.fromisoformat(document["purchase_date"]).astimezone(UTC).replace(tzinfo=None)
    return document["order_id"], purchased_at, document["purchase_amount"] - document["discount_amount"]


def weather(connection: KafkaConnection, settings: Settings, *, fuzzed: int, good: int) -> None:
    """A storm over a topic: send it, run the pipeline once, and account for every record."""
    warehouse = warehouse_from_settings(settings)
    sent = Sent()
    poison = storm(fuzzed, seed=SEED, victims=history(2_000), longest=settings.max_payload_bytes)
    produce(connection, sent.counting(mixed(good_orders(good), poison, good / (good + fuzzed), sent)))
    run = measured(
        "run",
        "--json",
        timeout=3_000,
        BRIDGECART_KAFKA_BOOTSTRAP_SERVERS=connection.bootstrap_servers,
        BRIDGECART_KAFKA_TOPIC=connection.topic,
        BRIDGECART_MAX_BATCH_RECORDS=str((fuzzed + good) // 4),
    )
    assert run.returncode == 3, run.stderr
    summary = run.summary
    logger.info(
        f"storm: {sent.records:,} records, {len(sent.good):,} good, {summary['orders']:,} orders, "
        f"{summary['duplicates']:,} duplicates, {summary['rejected']:,} rejected, {len(summary['batches'])} batches, "
        f"{run.seconds:.0f} s, peak {run.peak_megabytes():.0f} MB"
    )
    assert len(summary["batches"]) > 4
    assert summary["records"] == sent.records
    assert summary["records"] == sum(summary[fate] for fate in ("orders", "duplicates", "conflicting", "rejected"))
    errors = {check["check"] for check in summary["failed_checks"] if check["severity"] == "ERROR"}
    # A damaged copy of an order that is still one says something else than the order.
    assert errors == {"silver_reject_share_is_bearable", "silver_orders_do_not_conflict"}
    assert_bytes_are_untouched(warehouse, sent)
    assert_good_orders_stand_once_or_are_named(warehouse, sent)
    assert_kpis_are_of_all_orders(warehouse)
    assert_verdicts_are_met(warehouse, longest=settings.max_payload_bytes)


def assert_bytes_are_untouched(warehouse: Warehouse, sent: Sent) -> None:
    checksum = "sum(('0x' || left(sha256(payload), 15))::ubigint)"
    places = 'count(distinct (topic_id, "partition", "offset"))'
    found = rows(warehouse, f"select count(*), {places}, {checksum} from raw.orders")
    assert found == [(sent.records, sent.records, sent.checksum)]


def assert_good_orders_stand_once_or_are_named(warehouse: Warehouse, sent: Sent) -> None:
    good, said = set(sent.good), "select order_id, purchased_at, net_amount from silver"
    counted = [order for order in rows(warehouse, f"{said}.orders where order_id is not null") if order in good]
    assert len(counted) == len(set(counted))
    # Where a damaged copy that is still an order came first it counts, and the check names the good one.
    conflicting = good.difference(counted)
    assert conflicting <= set(rows(warehouse, f"{said}.conflicting_orders"))
    assert len(conflicting) < len(good) / 100


def assert_kpis_are_of_all_orders(warehouse: Warehouse) -> None:
    ((orders, kpis),) = rows(
        warehouse,
        "select (select sum(net_amount) from silver.orders), (select sum(sales) from kpi.sales_contribution)",
    )
    assert orders == kpis


def assert_verdicts_are_met(warehouse: Warehouse, *, longest: int) -> None:
    """Record by record against an independent reading of the contract."""
    unclear = records = 0
    where = 'using (topic_id, "partition", "offset")'
    with warehouse.reading() as connection:
        cursor = connection.execute(
            "select r.payload, r.kafka_timestamp, coalesce(o.net_amount, d.net_amount, c.net_amount) from raw.orders r "
            f"left join silver.orders o {where} left join silver.duplicate_orders d {where} "
            f"left join silver.conflicting_orders c {where}"
        )
        while chunk := cursor.fetchmany(10_000):
            for payload, kafka_timestamp, amount in chunk:
                records += 1
                expected = verdict(payload, kafka_timestamp, longest=longest)
                if expected == "unclear":
                    unclear += 1
                else:
                    assert (expected if isinstance(expected, Decimal) else None) == amount, (payload, kafka_timestamp)
    logger.info(f"verdicts: {unclear:,} of {records:,} records unclear")
    assert unclear < 0.2 * records


@any_broker
def test_a_storm_of_fuzzed_bytes_costs_no_good_order_and_stops_nothing(topic: TopicFactory) -> None:
    weather(topic(3, **ANY_TIME), load_settings(), fuzzed=20_000, good=2_000)


@only_apache
@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_a_storm_of_a_million_fuzzed_records_costs_none_of_a_hundred_thousand_good_orders(topic: TopicFactory) -> None:
    weather(topic(3, **ANY_TIME), load_settings(), fuzzed=1_000_000, good=100_000)


def poison(count: int) -> list[Event]:
    """Records that no reader takes for orders."""
    return [Event(None, b"poison %d" % number, 1_704_067_200_000) for number in range(count)]


@any_broker
@pytest.mark.story
def test_a_batch_with_some_rejects_warns_and_one_of_mostly_rejects_exits_with_3_and_refreshes_everything(
    shop: Shop, killer: Killer, warehouse: Warehouse
) -> None:
    shop.sell(300)
    produce(shop.connection, poison(40))
    warned = killer.run("run", "--json")
    assert warned.returncode == 0, warned.stderr
    assert failed(warned.stdout) == {("silver_reject_share_is_low", "WARN")}
    shop.sell(100)
    produce(shop.connection, poison(300))
    stopped = killer.run("run", "--json")
    assert stopped.returncode == 3
    assert failed(stopped.stdout) == {
        ("silver_reject_share_is_low", "WARN"),
        ("silver_reject_share_is_bearable", "ERROR"),
    }
    assert json.loads(stopped.stdout)["orders"] > 90
    assert_kpis_are_of_all_orders(warehouse)


def failed(summary: str) -> set[tuple[str, str]]:
    return {(check["check"], check["severity"]) for check in json.loads(summary)["failed_checks"]}


def changed(event: Event, **fields: object) -> Event:
    """The event with other or more fields."""
    return event._replace(value=json.dumps({**json.loads(event.value or b""), **fields}).encode())


@any_broker
@pytest.mark.parametrize(
    ("codes", "reason", "mended"),
    [
        ("reasons from silver.rejected_orders", "oversized", {"BRIDGECART_MAX_PAYLOAD_BYTES": "1000000"}),
        (
            "ignored_fields from silver.orders",
            "out_of_range_discount_amount",
            {"BRIDGECART_AMOUNT_IS_NET": "true"},
        ),
    ],
)
def test_what_was_refused_counts_once_when_silver_is_materialized_again_under_a_mended_contract(
    topic: TopicFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    codes: str,
    reason: str,
    mended: dict[str, str],
) -> None:
    shop = Shop(topic(3))
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", shop.connection.bootstrap_servers)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", shop.connection.topic)
    good = list(good_orders(90))
    refused = [changed(event, note="x" * 300_000) for event in good[:20]]
    refused += [changed(event, purchase_amount=10, discount_amount=15) for event in good[20:40]]
    produce(shop.connection, [*refused, *good[40:60], *poison(5)])
    warehouse = take_in(tmp_path / "replayed")
    # Sent again, and accepted under both contracts: an order, until the event that came first becomes valid.
    produce(shop.connection, [event._replace(timestamp_ms=event.timestamp_ms + 1) for event in good[:5]] + good[60:])
    take_in(tmp_path / "replayed")
    for name, value in mended.items():
        monkeypatch.setenv(name, value)
    from_the_start = digests(take_in(tmp_path / "from-the-start"))
    with_this_reason = (
        f"select count(*) from (select unnest({codes.replace(' from ', ') as code from ')}) where code = ?"
    )
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(tmp_path / "replayed"))
    assert rows(warehouse, with_this_reason, reason) == [(20,)]
    shop.close()
    for _ in range(2):
        for key in load_ledger(warehouse).plans:
            materialize_silver(key)
        assert rows(warehouse, with_this_reason, reason) == [(0,)]
        assert digests(warehouse) == from_the_start


def take_in(data_dir: Path) -> Warehouse:
    """One batch of what is new in the topic, to silver, on the platform in this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRIDGECART_DATA_DIR", str(data_dir))
        settings = load_settings()
        with dagster_instance(settings) as instance:
            asked_for(Daemon(instance, job="ingest_batch").tick())
    return warehouse_from_settings(settings)


def materialize_silver(key: str) -> None:
    """What "Materialize" in the UI does for the silver tables of a batch."""
    with dagster_instance(load_settings()) as instance:
        job = build_defs().resolve_job_def("ingest_batch")
        assert job.execute_in_process(
            instance=instance, partition_key=key, asset_selection=sorted(SILVER_BATCH)
        ).success
