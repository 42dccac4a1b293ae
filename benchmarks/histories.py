"""Shops with a long history, written straight into a warehouse: a small world's orders, over and over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from benchmarks.benchmark import Figures, Side
from benchmarks.measuring import run_child
from benchmarks.surroundings import TOPIC_VARIABLE, a_year_late, clean_world, fresh_orders, run_batch
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.generate_orders import TOPIC_CONFIG
from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    BATCH_SUMS,
    RAW_BATCHES,
    RAW_ORDERS,
    SILVER_ORDERS,
    SILVER_READINGS,
)
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.producing import produce
from bridgecart_assets.sources.kafka.topics import create_topic
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.synthetic import Event
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.queries import COUNT_EVERY_BATCH, silver_batch_query
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.tables import prepare, replace_rows, run_steps, used_parameters
from bridgecart_assets.warehouse.writing import write_query

BATCH_ORDERS = 500_000
# After the world: no order is dated after its batch.
FIRST_BATCH = datetime(2030, 1, 1, tzinfo=UTC)
RAW, SILVER = "raw.parquet", "silver.parquet"
_BASE = """
insert into raw.orders
select 'history', 0, row_number() over () - 1, make_timestamp_ms(timestamp_ms), 'create', key, null, value, '{key}'
from made
"""
# One row of the small world is as many rows next to each other, of as many customers: so the rows stay in time order.
_COPIES = """
create temp table copies as
select
    tile, format('C{:07d}', substr(s.customer_id, 2)::integer + tile * $customers) as new_customer,
    s.order_id || 'T' || tile as new_order, s."offset" * $tiles + tile as new_offset, s.*
from read_parquet($silver) s, range($tiles) as tiles(tile)
where s."offset" between $first and $last
"""
_SILVER = """
insert into silver.orders by name
select
    * exclude (tile, new_customer, new_order, new_offset) replace (
        new_customer as customer_id, customer_hash_of(new_customer) as customer_hash, new_order as order_id,
        md5(order_key || 'T' || tile)::uuid as order_key, new_offset as "offset", $batch_key as batch_key
    )
from copies
order by new_offset
"""
_RAW = """
insert into raw.orders
select
    r.* replace (
        c.new_offset as "offset", encode(c.new_customer) as key, $batch_key as batch_key,
        encode(replace(replace(decode(payload), c.customer_id, new_customer), c.order_id, new_order)) as payload
    )
from copies c
join read_parquet($raw) r using ("offset")
order by c.new_offset
"""
_LEDGER = """
insert into raw.batches
select $batch_key, 'history', 'history', null, [{'partition': 0, 'start': $start, 'end': $end}], [], $end - $start,
    $end - $start, null, null
"""

_READING = read_sql(file_of(SILVER_READINGS.full_name))


def write_base(orders: int, folder: Path) -> None:
    """A small world as the product stores it, taken in as one batch: raw and silver rows as Parquet in the folder."""
    made = pa.Table.from_pylist([event._asdict() for event in chain.from_iterable(clean_world(orders).history())])
    warehouse, key = Warehouse(folder / "base.duckdb"), f"{FIRST_BATCH:%Y%m%dT%H%M%SZ}"
    with warehouse.transaction() as connection:
        for contract in (RAW_ORDERS, RAW_BATCHES):
            prepare(connection, contract)
        connection.register("made", made)
        connection.execute(_BASE.format(key=key))
        connection.unregister("made")
        write_query(connection, SILVER_ORDERS, silver_batch_query(load_settings()), key)
    with warehouse.reading() as connection:
        for contract, file in ((RAW_ORDERS, RAW), (SILVER_ORDERS, SILVER)):
            connection.sql(f'from {contract.full_name} order by "offset"').write_parquet(str(folder / file))
    warehouse.path.unlink()


@cache
def customers_of(base: Path) -> Sequence[int]:
    """The customer's number of every order of the small world; those of the next copy are higher by the highest."""
    numbers = duckdb.read_parquet(str(base / SILVER)).select("substr(customer_id, 2)::integer").fetchall()
    return [number for (number,) in numbers]


def all_customers(base: Path, orders: int) -> Sequence[int]:
    """The numbers of the customers of a history of so many orders."""
    customers = customers_of(base)
    tiles, own = -(-orders // len(customers)), sorted(set(customers))
    return [number + tile * own[-1] for tile in range(tiles) for number in own]


def write_history(base: Path, warehouse: Warehouse, orders: int) -> None:
    """So many orders at least, in batches in time order, with their ledger."""
    customers = customers_of(base)
    tiles = -(-orders // len(customers))
    rows = max(1, BATCH_ORDERS // tiles)
    for number, first in enumerate(range(0, len(customers), rows)):
        end = min(first + rows, len(customers))
        key = {BATCH_COLUMN: f"{FIRST_BATCH + timedelta(minutes=number):%Y%m%dT%H%M%SZ}"}
        part = {"silver": str(base / SILVER), "tiles": tiles, "customers": max(customers), "first": first}
        with warehouse.transaction() as connection:
            for contract in (RAW_ORDERS, RAW_BATCHES, SILVER_ORDERS, SILVER_READINGS):
                prepare(connection, contract)
            connection.execute("set preserve_insertion_order = true")
            run_steps(connection, ("silver/tmp_record_macros",), {})
            connection.execute(_COPIES, {**part, "last": end - 1})
            connection.execute(_SILVER, key)
            connection.execute(_RAW, {**key, "raw": str(base / RAW)})
            connection.execute(_LEDGER, {**key, "start": first * tiles, "end": end * tiles})
            # As the product read them: else a check of all batches fails, and what is checked is never noted.
            reading = used_parameters(_READING, {**silver_batch_query(load_settings()).parameters, **key})
            replace_rows(connection, SILVER_READINGS, _READING, reading, key[BATCH_COLUMN])
    with warehouse.transaction() as connection:
        prepare(connection, BATCH_SUMS)
        run_steps(connection, COUNT_EVERY_BATCH, {})


def prepare_shop(base: str, orders: int) -> Figures:
    """A warehouse with the history in it, and one batch run through all tables, so that all of them stand."""
    write_history(Path(base), warehouse_from_settings(load_settings()), orders)
    return run_batch()


class Batch(NamedTuple):
    """Orders of a day, the first of them dated a year before where it `is_late`."""

    day: date
    is_late: bool = False

    def events(self, count: int, customers: Sequence[int], name: str) -> Sequence[Event]:
        """So many of these orders, of these customers, with the name in their ids."""
        first, *others = fresh_orders(count, day=self.day, customers=customers, batch=name)
        return [a_year_late(first) if self.is_late else first, *others]


def open_shop(connection: KafkaConnection, base: Path, orders: int, batches: Sequence[Batch], count: int) -> Side:
    """A side that runs the next batch of a shop with such a history, all tables made: the topic has these batches.

    The first one is taken in already. Raises ChildFailed.
    """
    topic = replace(connection, topic=f"{connection.topic}.{orders}")
    # One partition: what was sent first is in the first batch.
    create_topic(topic, 1, TOPIC_CONFIG)
    customers = all_customers(base, orders)
    for number, batch in enumerate(batches):
        produce(topic, batch.events(count, customers, f"B{number}"))
    variables = {TOPIC_VARIABLE: topic.topic, "BRIDGECART_MAX_BATCH_RECORDS": str(count)}
    shop = Side("batch", run_batch, data_dir=base / f"shop-{orders}", variables=variables)
    run_child(replace(shop, function=prepare_shop, arguments={"base": str(base), "orders": orders}))
    return shop
