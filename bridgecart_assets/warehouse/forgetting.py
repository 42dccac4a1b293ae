"""Erasing customers from the warehouse, in the caller's transaction.

Their records keep their places in raw, so that every batch still has as many as its ledger says, but say nothing any
more; silver rejects them as `forgotten`. What belongs elsewhere: bringing the other tables up to date
(`operations/forgetting.py`), and keeping erased what is read again (`writing.py`).
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from bridgecart_assets.contracts import (
    BOOKKEEPING,
    ERASURE_TABLES,
    ID_COLUMN,
    OUTBOX_TABLES,
    SILVER_DUPLICATES,
    SILVER_ORDERS,
    TABLES,
)
from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.handover import Parameter
from bridgecart_assets.warehouse.refreshing import forget_refreshes
from bridgecart_assets.warehouse.writing import insert_rows, prepare, run_stage


class UnknownCustomer(BridgeCartError):
    """The warehouse has no record of a customer; nothing was erased."""


@dataclass(frozen=True)
class Erasure:
    """How many customers left the warehouse, and their records: as what they had stood in silver."""

    customers: int
    records: int
    orders: int
    duplicates: int
    rejected: int


def erase_customers(connection: duckdb.DuckDBPyConnection, settings: Settings, customer_ids: Sequence[str]) -> Erasure:
    """Erase the customers from every table; again for those who are erased already, which changes nothing.

    The KPI tables are left as they are: they name nobody, and are computed anew from what stands.
    Raises UnknownCustomer when there never was a record of one of them.
    """
    for contract in (*TABLES.values(), *BOOKKEEPING, *ERASURE_TABLES, *OUTBOX_TABLES):
        prepare(connection, contract)
    parameters: dict[str, Parameter] = {
        "customer_ids": list(customer_ids),
        "salt": secrets.token_hex(16),
        "kpi_period": settings.kpi_period,
        # Of the contest: no batch, all that lost to one of theirs.
        "batch_key": None,
    }
    run_stage(connection, ("stage_reading", "stage_leaving"), parameters)
    _require_known(connection, len(customer_ids))
    run_stage(connection, ("forgetting", "stage_contest"), parameters)
    for contract in (SILVER_ORDERS, SILVER_DUPLICATES):
        insert_rows(connection, contract, read_sql(f"{contract.schema}_{contract.name}"), {})
    for contract in (*TABLES.values(), *OUTBOX_TABLES):
        if ID_COLUMN in contract.column_names:
            connection.execute(
                f"delete from {contract.full_name} where {ID_COLUMN} in (select {ID_COLUMN} from leaving)"
            )
    forget_refreshes(connection)
    return _counted(connection)


def _require_known(connection: duckdb.DuckDBPyConnection, given: int) -> None:
    unknown = connection.execute(
        "select place from leaving where place not in (select place from belongings) "
        "and coalesce(customer_hash not in (select customer_hash from raw.forgotten_customers), true) order by place"
    ).fetchall()
    if unknown:
        # By their place: an id has no place in what may be logged.
        which = ", ".join(str(place) for (place,) in unknown)
        raise UnknownCustomer(
            f"No record of customer {which} of the {given} given, and nobody was erased: check the id, or let "
            "`bridgecart run` read their orders first."
        )


def _counted(connection: duckdb.DuckDBPyConnection) -> Erasure:
    (row,) = connection.execute(
        "select (select count(distinct customer_id) from leaving), (select count(*) from erased), "
        "count(*) filter (where stood_in = 'orders'), count(*) filter (where stood_in = 'duplicate_orders'), "
        "count(*) filter (where stood_in = 'rejected_orders') from refused"
    ).fetchall()
    return Erasure(*map(int, row))
