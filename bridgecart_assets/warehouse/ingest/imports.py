"""Imported files in the ledger: which rows of which file stand, and by which mapping they are read."""

from bridgecart_assets.contracts import RAW_BATCHES
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
            "where topic = ? and topic_id <> ? and starts_with(topic_id, 'file:')",
            [name, topic_id],
        ).fetchall()
    return int(rows)


def give_mapping(warehouse: Warehouse, topic_id: str, mapping: str | None) -> list[str]:
    """Put another mapping on record for the batches of a file; keys of those that had another.

    Their silver is to be made again.
    """
    with warehouse.transaction() as connection:
        changed = connection.execute(
            "update raw.batches set mapping = $mapping "
            "where topic_id = $topic_id and mapping is distinct from $mapping returning batch_key",
            {"topic_id": topic_id, "mapping": mapping},
        ).fetchall()
    return sorted(str(key) for (key,) in changed)
