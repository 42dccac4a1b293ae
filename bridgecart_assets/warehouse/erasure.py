"""Erasing customers from the warehouse, in the caller's transaction.

Their records keep their places in raw, so that every batch still has as many as its ledger says, but say nothing any
more; silver rejects them as `forgotten`. What belongs elsewhere: bringing the other tables up to date
(`commands/forget_customers.py`), keeping erased what is read again (`slices.py`), and the list that outlives the
warehouse (`forgotten_list.py`).
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import (
    BATCH_SUMS,
    BEHIND_VIEWS,
    BESIDE_ORDERS,
    BOOKKEEPING,
    ERASURE_TABLES,
    ID_COLUMN,
    OUTBOX_TABLES,
    SILVER_MAPPINGS,
    SILVER_ORDERS,
    TABLES,
    WITHDRAWN_ORDERS,
    Contract,
)
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.warehouse.incremental.rebuild import forget_refreshes
from bridgecart_assets.warehouse.lake.heads import in_file
from bridgecart_assets.warehouse.mapped_records import readers_of_senders
from bridgecart_assets.warehouse.publishing import publish, published_path
from bridgecart_assets.warehouse.queries import COUNT_EVERY_BATCH
from bridgecart_assets.warehouse.storage.database import Warehouse, standing_tables
from bridgecart_assets.warehouse.storage.engine import Engine
from bridgecart_assets.warehouse.storage.forgotten_list import ForgottenList
from bridgecart_assets.warehouse.storage.outputs import Parameter, Read
from bridgecart_assets.warehouse.storage.tables import insert_rows, prepare, run_steps

_STEPS = (
    "erasure/erase_records",
    "silver/tmp_standing_rows",
    "silver/tmp_contested_orders",
    "silver/tmp_ranked_states",
    "silver/tmp_ranked_events",
    "silver/tmp_counting_events",
    "silver/tmp_summed_orders",
    "silver/tmp_written_orders",
)


Changing = Callable[[duckdb.DuckDBPyConnection, str, str], AbstractContextManager[None]]
"""What `Engine.changing` is."""


class UnknownCustomer(BridgeCartError):
    """The warehouse has no record of a customer; nothing was erased."""


@dataclass(frozen=True)
class Erasure:
    """Counts of an erasure: customers that left the warehouse, and their records by where these stood in silver.

    `beside` are the other events of their orders: conflicting, superseded, or lines.
    """

    customers: int
    records: int
    orders: int
    duplicates: int
    rejected: int
    beside: int = 0


def erase_customers(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    customer_ids: Sequence[str],
    changing: Changing = in_file,
) -> Erasure:
    """Erase the customers from every table; again for those who are erased already, which changes nothing.

    The KPI tables are left as they are: they name nobody, and are computed anew from what stands.
    Raises UnknownCustomer when there never was a record of one of them, and what `readers_of_senders` and `changing`
    do.
    """
    _prepare(connection)
    parameters: dict[str, Parameter] = {
        "customer_ids": list(customer_ids),
        "salt": secrets.token_hex(16),
        "kpi_period": settings.kpi_period,
        "calendar_timezone": settings.calendar_timezone,
        # Of the ranking: no batch, all that lost to one of theirs.
        "batch_key": None,
        "order_events": settings.order_events,
    }
    _find_records(connection, settings, "erasure/tmp_customers_to_erase", parameters)
    _require_known(connection, len(customer_ids))
    run_steps(connection, ("erasure/note_erasure",), parameters)
    _erase(connection, TABLES.values(), parameters, changing)
    return _counted(connection)


def forget_again(
    warehouse: Warehouse,
    known: ForgottenList,
    *,
    settings: Settings,
    engine_on: Callable[[Warehouse], Engine],
) -> None:
    """Erase those of the list whom the warehouse still has, and make list and warehouse say the same.

    For a warehouse that was put back from an older copy, or built anew. Killed in between, it begins again: until the
    end the warehouse does not say that it knows the list. Raises ForgottenListUnusable, and what
    `readers_of_senders` and `Engine.changing` do.
    """
    engine = engine_on(warehouse)
    with warehouse.transaction() as connection:
        _prepare(connection)
        stored = ForgottenList.stored(connection)
        known.require_same_salt(stored)
        new = known.without(stored)
        if new.customers:
            connection.register("handed_over", new.as_table())
            connection.execute("create temp table listed as from handed_over")
            connection.unregister("handed_over")
            _find_records(connection, settings, "erasure/tmp_returned_customers", {})
            # Who came back after the list was written keeps later orders.
            parameters: dict[str, Parameter] = {
                "batch_key": None,
                "order_events": settings.order_events,
                "calendar_timezone": settings.calendar_timezone,
            }
            tables = [table for table in TABLES.values() if not table.partitioned]
            _erase(connection, tables, parameters, engine.changing)
    if new.customers:
        places = Settings.model_construct(data_dir=warehouse.path.parent)
        publish_customers(warehouse, places.published_dir)
        places.report_path.unlink(missing_ok=True)
        engine.rewrite()
    with warehouse.transaction() as connection:
        merged = known.merged(ForgottenList.stored(connection))
        merged.store(connection)
        merged.write(warehouse.path)


def publish_customers(warehouse: Warehouse, folder: Path) -> None:
    """Publish the tables that name customers; of those that are not there, what was published is deleted."""
    with warehouse.reading() as connection:
        standing = standing_tables(connection)
    for contract in TABLES.values():
        if not contract.published or ID_COLUMN not in contract.column_names:
            continue
        if contract.full_name in standing:
            publish(warehouse, contract, folder)
        else:
            published_path(folder, contract).unlink(missing_ok=True)


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    for contract in (
        *TABLES.values(),
        *BEHIND_VIEWS,
        *BOOKKEEPING,
        BATCH_SUMS,
        *ERASURE_TABLES,
        *OUTBOX_TABLES,
        WITHDRAWN_ORDERS,
        SILVER_MAPPINGS,
    ):
        prepare(connection, contract)


def _find_records(
    connection: duckdb.DuckDBPyConnection, settings: Settings, customers: str, parameters: Mapping[str, Parameter]
) -> None:
    """Make `erased_records`, of the customers that the SQL file of this name finds."""
    readers = readers_of_senders(connection, settings)
    connection.execute(
        "create temp table mapped_batches as select unnest(?::varchar[]) as batch_key", [list(readers.of_batch)]
    )
    read = Read("erasure/tmp_unnamed_records", "said_of_records", readers.read)
    files = chain("erasure/tmp_records_to_erase", through=(customers,))
    run_steps(connection, [read if file == read.file else file for file in files], parameters)


def _erase(
    connection: duckdb.DuckDBPyConnection,
    tables: Iterable[Contract],
    parameters: Mapping[str, Parameter],
    changing: Changing,
) -> None:
    """Erase the records in `erased_records`, and the rows of `customers_to_erase` from these tables."""
    with changing(connection, "erased_records", "customers_to_erase"):
        run_steps(connection, _STEPS, parameters)
        for contract in (SILVER_ORDERS, *BESIDE_ORDERS):
            insert_rows(connection, contract, read_sql(file_of(contract.full_name)), {})
        for contract in (*tables, *BEHIND_VIEWS, *OUTBOX_TABLES, WITHDRAWN_ORDERS):
            if ID_COLUMN in contract.column_names and not contract.is_view:
                connection.execute(
                    f"delete from {contract.full_name} "
                    f"where {ID_COLUMN} in (select {ID_COLUMN} from customers_to_erase)"
                )
    run_steps(connection, COUNT_EVERY_BATCH, {})
    forget_refreshes(connection)


def _require_known(connection: duckdb.DuckDBPyConnection, given: int) -> None:
    unknown = connection.execute(
        "select place from customers_to_erase "
        "where coalesce(customer_id not in (select customer_id from records_to_erase), true) "
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
        "select (select count(distinct customer_id) from customers_to_erase), (select count(*) from erased_records), "
        "count(*) filter (where stood_in = 'orders'), count(*) filter (where stood_in = 'duplicate_orders'), "
        "count(*) filter (where stood_in = 'rejected_orders'), "
        "count(*) filter (where stood_in not in ('orders', 'duplicate_orders', 'rejected_orders', 'skipped_records')) "
        "from refused"
    ).fetchall()
    return Erasure(*map(int, row))
