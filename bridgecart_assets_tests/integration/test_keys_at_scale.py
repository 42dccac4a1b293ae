"""A platform of very many batches: what a tick, a run and the page of raw/orders cost, and keys that leave in time.

Processor time is compared rather than time on the clock, and as a ratio: machines differ and are shared.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.orchestration import check_rules, checks
from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.partitions import BATCHES, expired_keys
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_ledger
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.ageing import split_the_batch
from bridgecart_assets_tests.integration.daemon import Daemon, asked_for, said
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.served import Served, up
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, any_broker, only_apache

logger = logging.getLogger(__name__)

# What the page of a partitioned asset asks for.
PAGE = """query ($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  partitionKeys partitionStats { numMaterialized numPartitions }
  partitionKeyConnection(limit: 100, ascending: false) { results }
  assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions failedPartitions } } } } }"""


@pytest.fixture
def young(topic: TopicFactory, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A platform with one batch, of a topic of twelve partitions."""
    shop = Shop(topic(12))
    monkeypatch.setenv("BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", shop.connection.bootstrap_servers)
    monkeypatch.setenv("BRIDGECART_KAFKA_TOPIC", shop.connection.topic)
    shop.sell(1_500)
    with dagster_instance(load_settings()) as instance:
        asked_for(Daemon(instance, job="ingest_batch").tick())
    return shop


@contextmanager
def aged(data_dir: Path, batches: int) -> Iterator[dg.DagsterInstance]:
    """A copy of the platform as if it had taken in so many batches; the settings name it."""
    folder = data_dir.with_name(f"aged-{batches}")
    shutil.copytree(data_dir, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRIDGECART_DATA_DIR", str(folder))
        # What a tick prunes costs the same however many runs there are; here all stay.
        patch.setenv("BRIDGECART_KEEP_RUNS", "100000")
        with dagster_instance(load_settings()) as instance:
            split_the_batch(load_settings(), instance, batches)
            yield instance


def cost(act: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of processor time, of the cheapest of some rounds."""
    spent = []
    for _ in range(rounds):
        before = time.process_time()
        act()
        spent.append(time.process_time() - before)
    return min(spent)


def costs(shop: Shop, data_dir: Path, batches: int) -> dict[str, float]:
    """What a platform of so many batches spends on a small batch, and on each deed when it is at rest."""
    with aged(data_dir, batches) as instance:
        daemon = Daemon(instance, job="ingest_batch")
        warehouse = warehouse_from_settings(load_settings())
        rule = next(rule for rule in check_rules.RULES if rule.name == "raw_offsets_are_contiguous")
        shop.sell(50)
        run = cost(lambda: asked_for(daemon.tick()), rounds=1)
        assert [success for _, success in daemon.launched] == [True]
        newest = daemon.keys()[-1]
        assert "no new records" in said(daemon.evaluate())
        spent = {
            "run of a small batch": run,
            "tick": cost(daemon.evaluate),
            "expired keys": cost(lambda: expired_keys(instance, 10_000)),
            "ledger of one batch": cost(lambda: load_ledger(warehouse, only=newest)),
            "check of contiguity": cost(lambda: list(checks.evaluate(Platform(), [rule], newest))),
        }
    deeds = ", ".join(f"{deed} {1_000 * seconds:.0f} ms" for deed, seconds in spent.items())
    logger.info(f"{batches:,} batches: {deeds}")
    return spent


def grown(few: dict[str, float], many: dict[str, float], times: float) -> dict[str, float]:
    """The deeds that cost so many times as much with many batches; what is below a twentieth of a second never does."""
    return {deed: many[deed] / few[deed] for deed in few if many[deed] > max(times * few[deed], 0.05)}


def test_ten_times_the_batches_cost_far_less_than_ten_times_the_work(young: Shop, data_dir: Path) -> None:
    few, many = (costs(young, data_dir, batches) for batches in (300, 3_000))
    assert grown(few, many, times=4) == {}


@only_apache
@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_ten_thousand_batches_cost_little_more_than_a_hundred(young: Shop, data_dir: Path) -> None:
    few, many = (costs(young, data_dir, batches) for batches in (100, 10_000))
    assert grown(few, many, times=4) == {}


@only_apache
@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_the_page_of_raw_orders_is_answered_in_proportion_to_its_keys(young: Shop, data_dir: Path) -> None:
    assert young.sent == 1_500
    seconds = {}
    for batches in (1_000, 10_000):
        with aged(data_dir, batches):
            folder = load_settings().data_dir
        with up(folder) as served:
            answers = [page(served) for _ in range(5)]
        seconds[batches] = min(answers)
        logger.info(f"{batches:,} keys: first answer {answers[0]:.2f} s, then {min(answers):.2f} s")
    assert seconds[10_000] < 25 * seconds[1_000] + 1


def page(served: Served) -> float:
    """Seconds until the webserver has answered what the page asks for."""
    started = time.monotonic()
    node = served.ask(PAGE, key={"path": ["raw", "orders"]})["assetNodeOrError"]
    assert len(node["assetPartitionStatuses"]["materializedPartitions"]) == len(node["partitionKeys"])
    return time.monotonic() - started


@any_broker
def test_forty_thousand_keys_shrink_to_the_limit_over_several_ticks_a_thousand_at_a_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAX_BATCH_KEYS", "37500")
    older = [f"20240101T000000Z-{number:05}" for number in range(40_000)]
    shop.sell(1)
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(instance)
        instance.add_dynamic_partitions(str(BATCHES.name), older)
        finish(instance, older[-1])
        left = []
        for _ in range(4):
            answer = daemon.evaluate()
            assert isinstance(answer, dg.SensorResult)
            daemon.register(answer)
            finish(instance, asked_for(answer))
            left.append(len(daemon.keys()))
        # The key that a tick registers is on top of the limit.
        assert left == [39_001, 38_002, 37_501, 37_501]
        assert daemon.keys()[0] == older[2_503]


def finish(instance: dg.DagsterInstance, key: str) -> None:
    """The run of a batch, as Dagster remembers it."""
    create_run_for_test(instance, "orders_batch", status=DagsterRunStatus.SUCCESS, tags={PARTITION_TAG: key})


@any_broker
def test_a_run_of_many_batches_keeps_the_registry_at_the_limit(
    shop: Shop, killer: Killer, warehouse: Warehouse
) -> None:
    shop.sell(400)
    done = killer.run("run", BRIDGECART_MAX_BATCH_RECORDS="100", BRIDGECART_MAX_BATCH_KEYS="2")
    assert done.returncode == 0, done.stderr
    batches = list(load_ledger(warehouse).plans)
    assert len(batches) == 4
    with dagster_instance(load_settings()) as instance:
        assert Daemon(instance).keys() == batches[-2:]
