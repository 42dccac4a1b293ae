"""Totals of customers held to all of their orders: what no sum over everybody can prove, as dates and logarithms."""

import duckdb

from bridgecart_assets.base.quoting import sql_names
from bridgecart_assets.contracts import CUSTOMER_FEATURES, CUSTOMER_TOTALS, ORDER_CHANGES, REFRESHES, SILVER_ORDERS
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.warehouse.incremental.scope import FullScope, relate_rows
from bridgecart_assets.warehouse.storage.database import standing_tables
from bridgecart_assets.warehouse.storage.outputs import Query
from bridgecart_assets.warehouse.storage.tables import run_steps, steps_of, used_parameters

_TABLES = {table.full_name for table in (SILVER_ORDERS, CUSTOMER_TOTALS, ORDER_CHANGES, REFRESHES)}
# Not while orders wait to be followed, or everything to be made as a whole.
_KNOWN_AS_OF = f"""
select as_of::varchar
from {REFRESHES.full_name}
where table_name = '{CUSTOMER_FEATURES.full_name}' and state is not null and as_of is not null
    and revision >= (select coalesce(max(revision), 0) from {ORDER_CHANGES.full_name})
"""


def wrong_totals(connection: duckdb.DuckDBPyConnection, query: Query) -> int:
    """The number of customers whose totals are not what their orders add up to; `query` is that of the features.

    One range of hashes after the other, in bounded memory. 0 where the totals do not claim to know all orders.
    """
    known = connection.execute(_KNOWN_AS_OF).fetchone() if standing_tables(connection) >= _TABLES else None
    if known is None:
        return 0
    parameters = {**query.parameters, "as_of": known[0]}
    select = read_sql(file_of(CUSTOMER_TOTALS.full_name))
    names = sql_names(CUSTOMER_TOTALS.column_names)
    wrong = 0
    for part in FullScope().parts(connection):
        relate_rows(connection, part, SILVER_ORDERS)
        run_steps(connection, steps_of(CUSTOMER_TOTALS, query), parameters)
        made = f"select {names} from ({select})"
        stored = f"select {names} from {CUSTOMER_TOTALS.full_name} where {part.condition(CUSTOMER_TOTALS)}"
        ((found,),) = connection.execute(
            f"select count(distinct customer_id) from (({made} except {stored}) union all ({stored} except {made}))",
            used_parameters(select, parameters),
        ).fetchall()
        wrong += int(found)
    return wrong
