"""Batches that stand in raw but never reached silver: their run was killed in between, and Dagster does not know.

Dagster forgets them when its home is lost, or when another batch was registered after them.
"""

from bridgecart_assets.contracts import RAW_BATCHES, SILVER_ORDERS, WRITTEN_WITH_ORDERS
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists

# Looked at while they are recent: the sensor looks whenever it is idle, and reads no more than their rows.
BATCHES_LOOKED_AT = 20


def batches_without_silver(warehouse: Warehouse) -> list[str]:
    """Keys of recent batches with raw records of which silver knows none, oldest first."""
    if not warehouse.exists:
        return []
    with warehouse.reading() as connection:
        if not table_exists(connection, RAW_BATCHES):
            return []
        recent = connection.execute(
            "select batch_key from raw.batches where records > 0 order by batch_key desc limit ?", [BATCHES_LOOKED_AT]
        ).fetchall()
        left = {key for (key,) in recent}
        for table in (SILVER_ORDERS, *WRITTEN_WITH_ORDERS):
            if left and table_exists(connection, table):
                # Batches are written one after the other: this reads the end of the table only.
                found = connection.execute(
                    f"select distinct batch_key from {table.full_name} where batch_key >= ?", [min(left)]
                ).fetchall()
                left -= {key for (key,) in found}
    return sorted(left)
