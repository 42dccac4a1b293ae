"""A long history, written straight into a warehouse: a small world's orders, over and over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.surroundings import clean_world
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.contracts import BATCH_COLUMN, RAW_BATCHES, RAW_ORDERS, SILVER_ORDERS
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.tables import prepare, run_stage, write_query

TOPIC = "history"
BATCH_ORDERS = 500_000
FIRST_BATCH = datetime(2025, 1, 1, tzinfo=UTC)
BASE_KEY = "20240101T000000Z"

_BASE = f"""
insert into raw.orders
select
    '{TOPIC}', 0, row_number() over () - 1, make_timestamp_ms(timestamp_ms), 'create', key, null, payload, '{BASE_KEY}'
from made
"""
# One row of the small world is as many rows next to each other, of as many customers: so the rows stay in time order.
_COPIES = """
create temp table copies as
select
    tile,
    format('C{:07d}', substr(s.customer_id, 2)::integer + tile // $tiles_per_customer * $next_tile) as customer_id,
    customer_hash_of(format('C{:07d}', substr(s.customer_id, 2)::integer + tile // $tiles_per_customer * $next_tile))
        as customer_hash,
    s.order_id || 'T' || tile as order_id, md5(s.order_key || 'T' || tile)::uuid as order_key,
    s."offset" * $tiles + tile as "offset",
    s.customer_id as old_customer_id, s.order_id as old_order_id, s."offset" as old_offset,
    s.* exclude (customer_id, customer_hash, order_id, order_key, "offset", batch_key), $batch_key as batch_key
from base_silver s, range($tiles) as tiles(tile)
"""
_SILVER = 'insert into silver.orders by name select columns(*) from (select {columns} from copies order by "offset")'
_RAW = """
insert into raw.orders
select
    r.topic_id, r."partition", c."offset", r.kafka_timestamp, r.timestamp_type, encode(c.customer_id), r.headers,
    encode(replace(replace(decode(r.payload), old_customer_id, customer_id), old_order_id, order_id)), c.batch_key
from copies c
join base_raw r on r."offset" = c.old_offset
order by c."offset"
"""
_LEDGER = f"""
insert into raw.batches
select $batch_key, '{TOPIC}', '{TOPIC}', null, [{{'partition': 0, 'start': $first, 'end': $last}}], [], $last - $first,
    $last - $first, null
"""


@dataclass(frozen=True)
class Base:
    """A small world as the product stores it: raw and silver rows in arrival order."""

    raw: pa.Table
    silver: pa.Table

    @cached_property
    def customers(self) -> Sequence[int]:
        """The numbers of those who ordered."""
        return sorted({int(customer[1:]) for customer in self.silver["customer_id"].to_pylist()})

    @property
    def next_tile(self) -> int:
        """How much higher the numbers of a tile's customers are than those of the tile before."""
        return self.customers[-1]

    def store(self, folder: Path) -> None:
        """Write it for `load`, in another process."""
        pq.write_table(self.raw, folder / "raw.parquet")
        pq.write_table(self.silver, folder / "silver.parquet")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `store` wrote."""
        return cls(pq.read_table(folder / "raw.parquet"), pq.read_table(folder / "silver.parquet"))

    def tiles(self, orders: int) -> int:
        """How many tiles so many orders take."""
        return int(-(-orders // self.raw.num_rows))

    def all_customers(self, orders: int, *, tiles_per_customer: int = 1) -> Sequence[int]:
        """The numbers of the customers of a history of so many orders, so many tiles of which have the same ones."""
        groups = -(-self.tiles(orders) // tiles_per_customer)
        return [number + group * self.next_tile for group in range(groups) for number in self.customers]


def small_world(orders: int, folder: Path, *, start: datetime | None = None) -> Base:
    """Take a world in as one batch, by the product's own SQL, in a warehouse that is thrown away."""
    world = clean_world(orders, start=start)
    events = list(chain.from_iterable(world.history()))
    made = pa.table(
        {
            "timestamp_ms": [event.timestamp_ms for event in events],
            "key": pa.array([event.key for event in events], pa.binary()),
            "payload": pa.array([event.value for event in events], pa.binary()),
        }
    )
    warehouse = Warehouse(folder / "base.duckdb")
    with warehouse.transaction() as connection:
        for contract in (RAW_ORDERS, RAW_BATCHES):
            prepare(connection, contract)
        connection.register("made", made)
        connection.execute(_BASE)
        connection.unregister("made")
        write_query(connection, SILVER_ORDERS, silver_batch_query(load_settings()), BASE_KEY)
    with warehouse.reading() as connection:
        raw, silver = (
            connection.sql(f'select * from {table} order by "offset"').to_arrow_table()
            for table in (RAW_ORDERS.full_name, SILVER_ORDERS.full_name)
        )
    warehouse.path.unlink()
    return Base(raw, silver)


def write_history(base: Base, warehouse: Warehouse, orders: int, *, tiles_per_customer: int = 1) -> None:
    """So many orders at least, in batches in time order, with their ledger."""
    tiles = base.tiles(orders)
    rows = max(1, BATCH_ORDERS // tiles)
    for number, first in enumerate(range(0, base.raw.num_rows, rows)):
        raw, silver = base.raw.slice(first, rows), base.silver.slice(first, rows)
        last = first + raw.num_rows
        key = (FIRST_BATCH + timedelta(minutes=number)).strftime("%Y%m%dT%H%M%SZ")
        with warehouse.transaction() as connection:
            for contract in (RAW_ORDERS, RAW_BATCHES, SILVER_ORDERS):
                prepare(connection, contract)
            connection.execute("set preserve_insertion_order = true")
            connection.register("base_raw", raw)
            connection.register("base_silver", silver)
            run_stage(connection, ("stage_reading",), {})
            shape = {"next_tile": base.next_tile, "tiles": tiles, "tiles_per_customer": tiles_per_customer}
            connection.execute(_COPIES, {**shape, BATCH_COLUMN: key})
            connection.execute(_SILVER.format(columns=", ".join(f'"{name}"' for name in SILVER_ORDERS.column_names)))
            connection.execute(_RAW)
            connection.execute(_LEDGER, {BATCH_COLUMN: key, "first": first * tiles, "last": last * tiles})
