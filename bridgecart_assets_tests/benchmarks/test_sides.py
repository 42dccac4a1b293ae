"""Every side does its work, at sizes that take a moment."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import orjson
import pytest

from benchmarks import end_to_end, growing_history, importing, ingest, mapping, model, pandas_pipeline
from benchmarks.benchmark import OUTSIDE, Benchmark, Sizes
from benchmarks.histories import all_customers, customers_of, write_base, write_history
from benchmarks.surroundings import END, a_year_late, clean_world, fresh_orders, fresh_topic, send
from benchmarks.up import seconds_to_visible
from bridgecart_assets.synthetic import Event
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.state import rows

SMALL: tuple[tuple[Benchmark, Sizes], ...] = (
    (ingest.INGEST, {"orders": 300}),
    (mapping.MAPPING, {"orders": 300, "records": 300}),
    (importing.IMPORT, {"orders": 300}),
    (ingest.DISK, {"orders": 300, "times": 2}),
    (ingest.GENERATOR, {"orders": 300}),
    (model.MODEL, {"orders": 5_000, "customers": 1_000}),
    (growing_history.PAGE, {"orders": 3_000}),
)


@pytest.mark.parametrize(("benchmark", "sizes"), SMALL, ids=[benchmark.name for benchmark, _ in SMALL])
def test_the_sides_give_the_figures_that_the_document_shows(
    benchmark: Benchmark, sizes: Sizes, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    found: set[str] = set()
    shared = tmp_path / "shared"
    shared.mkdir()
    with benchmark.sides(sizes, shared) as sides:
        for side in sides:
            shutil.rmtree(data_dir, ignore_errors=True)
            data_dir.mkdir()
            with monkeypatch.context() as environment:
                environment.setenv("BRIDGECART_DATA_DIR", str(side.data_dir or data_dir))
                for name, value in side.variables.items():
                    environment.setenv(name, value)
                figures = side.function(**side.arguments)
            assert all(value >= 0 for value in figures.values())
            found |= figures.keys()
    assert set(benchmark.figures) - set(OUTSIDE) <= found


def test_the_pandas_pipeline_gets_from_the_topic_to_the_kpis(tmp_path: Path, data_dir: Path):
    data_dir.mkdir()
    with fresh_topic(tmp_path) as connection:
        send(connection, clean_world(300, share_redelivered=0.01))
        figures = pandas_pipeline.run(200)
    with closing(sqlite3.connect(data_dir / "pipeline.sqlite")) as database:
        (counts,) = database.execute(
            "select (select count(*) from raw_orders), (select count(*) from kpis), "
            "(select round(sum(sales_contribution), 6) from kpis)"
        ).fetchall()
    assert figures["orders_per_second"] > 0
    assert counts == (200, 4, 1.0)


def test_end_to_end_another_checkout_reads_the_same_topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(ingest.BASELINE, str(tmp_path / "before"))
    with end_to_end.sides({"orders": 30, "pandas_orders": 10, "spark_orders": 0}, tmp_path) as (landed, product, *_):
        assert (landed.name, landed.checkout) == (end_to_end.LANDED, tmp_path / "before")
        assert (landed.arguments, landed.variables) == (product.arguments, product.variables)


def test_a_history_is_as_if_the_product_had_taken_it_in(tmp_path: Path):
    write_base(500, tmp_path)
    warehouse = Warehouse(tmp_path / "history.duckdb")
    records = 3 * len(customers_of(tmp_path))
    write_history(tmp_path, warehouse, records)
    customers = len(all_customers(tmp_path, records))
    assert rows(
        warehouse,
        "select count(*), count(distinct customer_id), count(distinct order_key), count(distinct order_id) "
        "from silver.orders",
    ) == [(records, customers, records, records)]
    # Every order is what its record says, its key is its customer, and every record is in the ledger.
    assert rows(
        warehouse,
        """
        select count(*) from silver.orders s
        join raw.orders r using (topic_id, "partition", "offset", batch_key)
        where decode(r.payload)::json ->> '$.customer_id' = s.customer_id
            and decode(r.key) = s.customer_id
            and decode(r.payload)::json ->> '$.order_id' = s.order_id
            and (decode(r.payload)::json ->> '$.purchase_date')::timestamptz at time zone 'UTC' = s.purchased_at
        """,
    ) == [(records,)]
    assert rows(warehouse, 'select sum(records), max(ranges[1]."end") from raw.batches') == [(records, records)]


def test_fresh_orders_are_of_one_day_and_no_two_are_the_same():
    first, second = (fresh_orders(50, day=END.date(), customers=range(1, 10), batch=name) for name in ("A", "B"))
    days = {event.timestamp_ms // 86_400_000 for event in first}
    assert len(days) == 1
    assert len({event.value for event in (*first, *second)}) == 100
    assert {event.key for event in first} <= {b"C%07d" % number for number in range(1, 10)}


def test_ids_of_fresh_orders_lie_all_over_those_of_the_history(tmp_path: Path):
    write_base(500, tmp_path)
    warehouse = Warehouse(tmp_path / "history.duckdb")
    write_history(tmp_path, warehouse, 500)
    ((lowest, highest),) = rows(
        warehouse, "select min(order_id), max(order_id) from silver.orders where order_id < 'P'"
    )
    ids = [order_id_of(event) for event in fresh_orders(50, day=END.date(), customers=[1], batch="A", among=500)]
    assert lowest < ids[1] < ids[-1] < highest
    assert [number for number, _ in groupby(ids, key=lambda order_id: order_id[1:8])] == [f"{n:07d}" for n in range(5)]


def test_an_order_a_year_late_is_sent_today():
    (event,) = fresh_orders(1, day=END.date(), customers=[1], batch="A")
    late = a_year_late(event)
    assert (late.key, late.timestamp_ms, order_id_of(late)) == (event.key, event.timestamp_ms, order_id_of(event))
    assert orjson.loads(late.value or b"")["purchase_date"] == (END - timedelta(days=365)).isoformat()


def order_id_of(event: Event) -> str:
    return str(orjson.loads(event.value or b"")["order_id"])


def test_an_order_is_visible_when_as_many_are_as_were_sent_until_then():
    sent = [(0.0, 10), (1.0, 20), (2.0, 30)]
    visible = [(0.5, 0), (3.0, 15), (4.0, 30)]
    assert seconds_to_visible(sent, visible) == [3.0, 3.0, 2.0]


def test_what_never_became_visible_counts_with_the_time_that_it_was_waited_for():
    assert seconds_to_visible([(0.0, 10)], [(1.0, 0), (5.0, 9)]) == [5.0]
