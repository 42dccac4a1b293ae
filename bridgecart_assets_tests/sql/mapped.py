"""Values that a mapping gives, made by hand, through silver's rules: what becomes of each."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import RAW_ORDERS, WITHDRAWN_ORDERS
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.warehouse.mappings import MAPPED
from bridgecart_assets.warehouse.queries import silver_batch_query
from bridgecart_assets.warehouse.storage.outputs import Query, Read
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps, with_computed
from bridgecart_assets_tests.sql.silver import BATCH, SilverWarehouse
from bridgecart_assets_tests.support.records import TOPIC_ID

Row = dict[str, Any]

_OF_RAW = 'topic_id, "partition", "offset", kafka_timestamp, batch_key'
ORDER: Mapping[str, Any] = {
    "order_id": "A1",
    "customer_id": "C1",
    "purchase_date": datetime(2025, 3, 4, 10, tzinfo=UTC),
    "purchase_amount": Decimal("100.00"),
    "discount_amount": Decimal("10.00"),
    "currency": "EUR",
    "coupon_used": True,
    "payment_method": "credit card",
    "product_category": "books",
    "name": "Asha Rao",
    "mobile": "+91 98450 00000",
    "gender": "f",
    "age": 41,
    "income": Decimal("900000.00"),
}
"""A good order of a source without states, as a mapping gives it."""


def mapped_rows(*changes: Mapping[str, Any], order: Mapping[str, Any] = ORDER) -> pa.Table:
    """Rows of `mapped`: the order with these fields changed, each with an order id and an offset of its own."""
    rows = [
        {
            "topic_id": TOPIC_ID,
            "partition": 0,
            "offset": offset,
            "kafka_timestamp": datetime(2029, 1, 1),  # noqa: DTZ001 - as stored: UTC without zone
            "batch_key": BATCH,
            **order,
            "order_id": f"M{offset}",
            **changed,
        }
        for offset, changed in enumerate(changes)
    ]
    return pa.Table.from_pylist(rows, schema=MAPPED)


def mapped_query(settings: Settings, rows: pa.Table) -> Query:
    """The query of a batch of whose records a mapping says these rows."""

    def said_of(records: pa.RecordBatchReader) -> pa.Table:
        places = set(_places(records.read_all()))
        return rows.filter(pa.array([place in places for place in _places(rows)], pa.bool_()))

    query = silver_batch_query(settings)
    computed = Read("silver/tmp_payloads", "mapped", said_of)
    return replace(query, parameters={**query.parameters, "is_mapped": True}, computed=(computed,))


def _places(records: pa.Table) -> Iterator[tuple[str, int, int]]:
    return zip(*(records[name].to_pylist() for name in ("topic_id", "partition", "offset")), strict=True)


def judge_mapped(*changes: Mapping[str, Any], **settings: Any) -> list[Row | list[str]]:
    """What becomes of each row: the event that is accepted, the reasons of its refusal, or why it is left out."""
    rows = mapped_rows(*changes)
    query = mapped_query(Settings(**settings), rows)
    steps = with_computed(chain("silver/tmp_accepted"), query)
    with SilverWarehouse().transaction() as connection:
        for table in (RAW_ORDERS, WITHDRAWN_ORDERS):
            prepare(connection, table)
        connection.register("rows", rows)
        connection.execute(f"insert into {RAW_ORDERS.full_name} by name select {_OF_RAW} from rows")
        run_steps(connection, steps, {**query.parameters, "batch_key": BATCH})
        accepted = as_dicts(connection.sql("select * from accepted"))
        refused = connection.sql('select "offset", reasons from refused').fetchall()
        left_out = connection.sql('select "offset", [skipped] from mapped where skipped is not null').fetchall()
    outcome: dict[int, Row | list[str]] = {row["offset"]: row for row in accepted}
    assert len(outcome) == len(accepted)
    outcome |= dict(refused) | dict(left_out)
    assert len(accepted) + len(refused) + len(left_out) == len(changes)
    return [outcome[offset] for offset in range(len(changes))]


def as_dicts(rows: duckdb.DuckDBPyRelation) -> list[Row]:
    """Rows by the names of their columns."""
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]
