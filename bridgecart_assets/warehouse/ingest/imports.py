"""Imported files in the ledger: which rows of which file stand, and by which mapping they are read."""

from bridgecart_assets.contracts import RAW_BATCHES, SILVER_READINGS
from bridgecart_assets.sources.files.history_file import FILE_ID
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists


def mapping_on_record(warehouse: Warehouse, batch_key: str) -> str | None:
    """Text of the mapping of a batch of the ledger; None without one."""
    with warehouse.reading() as connection:
        ((mapping,),) = connection.execute(
            "select mapping from raw.batches where batch_key = ?", [batch_key]
        ).fetchall()
    return None if mapping is None else str(mapping)


def other_contents(warehouse: Warehouse, name: str, topic_id: str) -> int:
    """Rows of files that had this name and another content."""
    if not warehouse.exists:
        return 0
    with warehouse.reading() as connection:
        if not table_exists(connection, RAW_BATCHES):
            return 0
        ((rows,),) = connection.execute(
            "select coalesce(sum(records), 0)::bigint from raw.batches "
            "where topic = ? and topic_id <> ? and starts_with(topic_id, ?)",
            [name, topic_id, FILE_ID],
        ).fetchall()
    return int(rows)


def give_mapping(warehouse: Warehouse, topic_id: str, mapping: str | None) -> list[str]:
    """Put a mapping on record for the batches of a file; keys of those whose silver is to be made again.

    Asked again after a kill, it says which are left.
    """
    with warehouse.transaction() as connection:
        connection.execute(
            "update raw.batches set mapping = $mapping "
            "where topic_id = $topic_id and mapping is distinct from $mapping",
            {"topic_id": topic_id, "mapping": mapping},
        )
        if not table_exists(connection, SILVER_READINGS):
            return []
        read_otherwise = connection.execute(
            "select batch_key from silver.readings join raw.batches b using (batch_key) "
            "where b.topic_id = $topic_id and readings.mapping is distinct from sha256($mapping) order by batch_key",
            {"topic_id": topic_id, "mapping": mapping},
        ).fetchall()
    return [str(key) for (key,) in read_otherwise]
