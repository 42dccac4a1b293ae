"""Contents of the warehouse at this moment: batches, rows, and how new they are; read in one go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from bridgecart_assets.contracts import RAW_BATCHES, SILVER_ORDERS, TABLES
from bridgecart_assets.warehouse.storage.database import Warehouse, standing_tables
from bridgecart_assets.warehouse.storage.tables import count_rows

# A person may have added keys of another form, which come after all others.
_KEYS_LOOKED_AT = 100


@dataclass(frozen=True)
class Standing:
    """State of the tables.

    Attributes:
        newest: keys of the last batches, latest first.
        newest_with_records: those of the last batches that had any record.
        records: records of all batches.
        rows: rows by table, of the tables that stand.
        data_clock: latest accepted purchase instant, UTC; None while there is no order.

    """

    newest: tuple[str, ...] = ()
    newest_with_records: tuple[str, ...] = ()
    records: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    data_clock: datetime | None = None

    @property
    def batches(self) -> int:
        """Number of batches."""
        return self.rows.get(RAW_BATCHES.full_name, 0)


def read_standing(warehouse: Warehouse) -> Standing:
    """The state as committed now; an empty one without a warehouse. Raises WarehouseError."""
    if not warehouse.exists:
        return Standing()
    with warehouse.reading() as connection:
        standing = standing_tables(connection)
        rows = {name: count_rows(connection, table) for name, table in TABLES.items() if name in standing}
        if RAW_BATCHES.full_name not in rows:
            return Standing(rows=rows)
        return Standing(
            newest=_newest(connection, at_least=0),
            newest_with_records=_newest(connection, at_least=1),
            records=_records(connection),
            rows=rows,
            data_clock=_data_clock(connection) if SILVER_ORDERS.full_name in rows else None,
        )


def newest_with_records(warehouse: Warehouse) -> tuple[str, ...]:
    """Keys of the last batches that had any record, latest first. Raises WarehouseError."""
    if not warehouse.exists:
        return ()
    with warehouse.reading() as connection:
        return _newest(connection, at_least=1) if RAW_BATCHES.full_name in standing_tables(connection) else ()


def read_data_clock(warehouse: Warehouse) -> datetime | None:
    """The latest accepted purchase instant, UTC; None while there is no order."""
    if not warehouse.exists:
        return None
    with warehouse.reading() as connection:
        return _data_clock(connection) if SILVER_ORDERS.full_name in standing_tables(connection) else None


def _newest(connection: duckdb.DuckDBPyConnection, *, at_least: int) -> tuple[str, ...]:
    sql = "select batch_key from raw.batches where records >= ? order by batch_key desc limit ?"
    return tuple(key for (key,) in connection.execute(sql, [at_least, _KEYS_LOOKED_AT]).fetchall())


def _records(connection: duckdb.DuckDBPyConnection) -> int:
    ((records,),) = connection.execute("select coalesce(sum(records), 0)::bigint from raw.batches").fetchall()
    return int(records)


def _data_clock(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    ((latest,),) = connection.execute("select max(purchased_at) from silver.orders").fetchall()
    return None if latest is None else latest.replace(tzinfo=UTC)
