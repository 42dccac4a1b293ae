"""A shop with a change feed of its orders in a shape of its own, and the mapping that reads it."""

import json
from collections.abc import Sequence
from typing import Any

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SILVER_ORDERS
from bridgecart_assets.sources.mapping.mapping_file import parse_mapping
from bridgecart_assets.sources.mapping.reading import MappedReader
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sql.silver import Placed
from bridgecart_assets_tests.support.rereading import read_batch

MAPPING = """
format = 1

[records]
where      = "value.op in ('c', 'u', 'd')"
tombstones = "skip"

[order]
order_id        = "coalesce(value.after.id, value.before.id)"
version         = "value.lsn"
is_void         = "value.op = 'd'"
customer_id     = "value.after.customer"
purchase_date   = "value.after.ordered_at"
purchase_amount = "value.after.total"
refunds         = "[{'at': r.at, 'amount': r.amount} for r in value.after.refunds]"
name            = "value.after.person.name"
mobile          = "value.after.person.phone"
gender          = "value.after.person.sex"
age             = "value.after.person.age"
income          = "value.after.person.income"
"""
PERSON = {"name": "Asha Rao", "phone": "+91 98450 00000", "sex": "F", "age": 41, "income": "900000.5"}


def row(**changed: Any) -> dict[str, Any]:
    """A row of the shop's table of orders, with these columns changed."""
    order = {"id": 7, "customer": "C1", "ordered_at": "2025-03-04T10:00:00Z", "total": "100.00", "refunds": []}
    return {**order, "person": PERSON, **changed}


def change(op: str, lsn: int, after: dict[str, Any] | None, before: dict[str, Any] | None = None) -> bytes:
    """A record of the feed."""
    return json.dumps({"op": op, "lsn": lsn, "before": before, "after": after}).encode()


def take_in_mapped(
    warehouse: Warehouse, settings: Settings, batch_key: str, records: Sequence[Placed], *, text: str = MAPPING
) -> None:
    """A batch as it arrives, through silver by the mapping of this text."""
    read_batch(warehouse, batch_key, records, mapping=text)
    run_mapped_silver(warehouse, settings, batch_key, text=text)


def run_mapped_silver(warehouse: Warehouse, settings: Settings, batch_key: str, *, text: str = MAPPING) -> None:
    """Silver of a batch that the mapping of this text reads."""
    mapping = parse_mapping(text, "mapping.toml")
    reader = MappedReader(mapping, max_payload_bytes=settings.max_payload_bytes, naive_timezone=settings.naive_timezone)
    with warehouse.transaction() as connection:
        write_query(connection, SILVER_ORDERS, silver_batch_query(settings, reader=reader), batch_key)
