"""Reading every batch from raw again: silver of a new warehouse with the settings of now, and nothing after it.

What belongs elsewhere: why a person does it (`sql/checks/batches_are_read_alike.sql`), and the refresh that makes
everything after silver again (`commands/run_pipeline.py`).
"""

from collections.abc import Callable

import duckdb

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import (
    BATCH_SUMS,
    BEHIND_VIEWS,
    BOOKKEEPING,
    RAW_BATCHES,
    SILVER_MAPPINGS,
    SILVER_ORDERS,
    TABLES,
)
from bridgecart_assets.warehouse.mappings import fetch_schemas_of_batch
from bridgecart_assets.warehouse.queries import silver_query_of_batch
from bridgecart_assets.warehouse.storage.database import table_exists
from bridgecart_assets.warehouse.storage.engine import Engine


def remap(engine: Engine, settings: Settings, done: Callable[[int, int], object]) -> None:
    """Read every batch from raw again, in the order of the ledger, and drop what is made of silver, models included.

    Kept are raw, who was forgotten and what that was worth, and what other programs were told. All of this happens in
    a copy: killed before the end, nothing has changed. `done` is told how many batches are, and of how many.
    """
    with engine.replaced() as copy:
        with copy.warehouse.transaction() as connection:
            keys = _batch_keys(connection)
            copy.drop(connection, _MADE_OF_RAW)
        for number, key in enumerate(keys, start=1):
            fetch_schemas_of_batch(copy.warehouse, settings, key)
            make_silver(copy, settings, key)
            done(number, len(keys))


def make_silver(engine: Engine, settings: Settings, batch_key: str) -> None:
    """Make silver of one batch from raw, in a transaction of its own. Raises MappingError."""
    with engine.warehouse.reading() as connection:
        query = silver_query_of_batch(connection, settings, batch_key)
    engine.write(SILVER_ORDERS, query, batch_key)


def _batch_keys(connection: duckdb.DuckDBPyConnection) -> list[str]:
    if not table_exists(connection, RAW_BATCHES):
        return []
    rows = connection.execute(f"select batch_key from {RAW_BATCHES.full_name} order by batch_key").fetchall()
    return [str(key) for (key,) in rows]


_MADE_OF_RAW = [
    contract
    for contract in (*TABLES.values(), *BEHIND_VIEWS, *BOOKKEEPING, BATCH_SUMS, SILVER_MAPPINGS)
    if contract.schema != "raw"
]
