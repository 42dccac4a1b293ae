"""Backlogs: drained in batches of bounded size, in bounded memory, one run at a time, without help."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path

import dagster as dg
import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.synthetic import Event, WorldConfig, simulate
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.measured import Interval, Measured, measured
from bridgecart_assets_tests.integration.processes import processes_of, wait_until
from bridgecart_assets_tests.integration.served import ASK_SECONDS, up
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import TopicFactory, only_apache
from bridgecart_assets_tests.support.state import rows

logger = logging.getLogger(__name__)

HEAVY_BYTES = 20_000
DRAIN_SECONDS = 120.0


@dataclass(frozen=True)
class Drained:
    """A backlog that `bridgecart run` has taken in."""

    run: Measured
    ingests: list[Interval]

    @property
    def ingest_megabytes(self) -> float:
        """The most memory while records were taken in: refreshing grows with the warehouse, up to its own limit."""
        return self.run.peak_megabytes(self.ingests)


def backlog(records: int) -> Iterator[Event]:
    """So many events of a world; in the middle a hundred of them are heavy."""
    events = chain.from_iterable(simulate(WorldConfig(orders=records)).history())
    yield from islice(events, records // 2)
    yield from map(heavy, islice(events, 100))
    yield from islice(events, records - records // 2 - 100)


def heavy(event: Event) -> Event:
    return event._replace(value=(event.value or b"{}")[:-1] + b',"note":"' + b"x" * HEAVY_BYTES + b'"}')


def drain(connection: KafkaConnection, data_dir: Path, records: int, *, max_records: int, max_bytes: int) -> Drained:
    """Send a backlog and take it in by one `bridgecart run`; no batch exceeds the limits, no record is missing."""
    produce(connection, backlog(records))
    run = measured(
        "run",
        "--json",
        timeout=3_000,
        BRIDGECART_DATA_DIR=str(data_dir),
        BRIDGECART_KAFKA_BOOTSTRAP_SERVERS=connection.bootstrap_servers,
        BRIDGECART_KAFKA_TOPIC=connection.topic,
        BRIDGECART_MAX_BATCH_RECORDS=str(max_records),
        BRIDGECART_MAX_BATCH_BYTES=str(max_bytes),
    )
    assert run.returncode == 0, run.stderr
    sizes = rows(
        Warehouse(data_dir / "bridgecart.duckdb"),
        "select count(*), sum(octet_length(payload)) from raw.orders group by batch_key order by batch_key",
    )
    assert sum(count for count, _ in sizes) == run.summary["records"] == records
    assert max(count for count, _ in sizes) == max_records
    assert max(size for _, size in sizes) <= max_bytes
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRIDGECART_DATA_DIR", str(data_dir))
        drained = Drained(run, intervals("ingest_batch"))
    assert len(drained.ingests) == len(sizes)
    logger.info(
        f"backlog: {records:,} records, {len(sizes)} batches, {run.seconds:.0f} s, "
        f"first batch {length(drained.ingests[0]):.1f} s, last full one {length(drained.ingests[-2]):.1f} s, "
        f"peak {drained.ingest_megabytes:.0f} MB taking in, {run.peak_megabytes():.0f} MB over all"
    )
    return drained


def intervals(*jobs: str) -> list[Interval]:
    """When the successful runs of these jobs (of all jobs) started and ended, in order."""
    with dagster_instance(load_settings()) as instance:
        records = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    found = [
        (record.start_time, record.end_time) for record in records if not jobs or record.dagster_run.job_name in jobs
    ]
    return sorted((start, end) for start, end in found if start is not None and end is not None)


def length(interval: Interval) -> float:
    start, end = interval
    return end - start


def apart(spans: Iterable[Interval]) -> bool:
    """Whether no two of these intervals, ordered by start, overlap."""
    return all(ended <= started for (_, ended), (started, _) in pairwise(spans))


@only_apache
def test_a_backlog_drains_in_batches_within_both_limits(topic: TopicFactory, data_dir: Path) -> None:
    # The heavy hundred are 2 MB: the limit of bytes cuts their batches short.
    drained = drain(topic(3), data_dir, 60_000, max_records=15_000, max_bytes=6_000_000)
    assert len(drained.ingests) > 4
    assert apart(drained.ingests)


@only_apache
def test_up_drains_a_backlog_by_itself_one_run_at_a_time(shop: Shop, data_dir: Path) -> None:
    shop.sell(1_500)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRIDGECART_MAX_BATCH_RECORDS", "500")
        with up(data_dir, rate=200) as served:
            wait_until(
                lambda: any(
                    "every record of the topic is in a batch" in (t["skipReason"] or "") for t in served.ticks()
                ),
                DRAIN_SECONDS,
                "the lag is zero",
                every=ASK_SECONDS,
            )
            # With a broker of the user's it starts none, and makes up no orders.
            words = {word for process in processes_of(data_dir) for word in process.cmdline()}
            assert words.isdisjoint({"broker", "generate"})
            assert served.output.read_text().startswith("Report: ")
    assert rows(warehouse_from_settings(load_settings()), "select count(*) from raw.orders") == [(1_500,)]
    spans = intervals()
    assert len(spans) == 3
    assert apart(spans)


@only_apache
@pytest.mark.slow
@pytest.mark.timeout(7_200)
def test_memory_does_not_grow_with_the_backlog(topic: TopicFactory, tmp_path: Path) -> None:
    limits = {"max_records": 250_000, "max_bytes": 100_500_000}
    one = drain(topic(3), tmp_path / "one", 1_000_000, **limits)
    five = drain(topic(3), tmp_path / "five", 5_000_000, **limits)
    assert len(five.ingests) > 4 * len(one.ingests)
    assert five.ingest_megabytes < 1.25 * one.ingest_megabytes
