"""The production SQL of snapshots and KPIs, on one quarter of the CDNOW log and on segments by rule.

So the KPIs can be worked out from the log by other means, and compared.

Periods of the pipeline are calendar periods and its segments come from the model. What follows a step here puts
others in their place; every other statement is the production one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import CLV_GROWTH, KPI_TABLES
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.storage.database import Warehouse, rows_of
from bridgecart_assets.warehouse.storage.outputs import Computed, Parameter, Query, Read
from bridgecart_assets.warehouse.storage.tables import run_steps, steps_of, with_computed

# The quarter, and a period before and after it: the first period of all has no KPIs, and a close is an opening.
_PERIODS = """
create or replace temp table periods as
select * from (values
    (date '1997-01-01', date '1997-10-01', true),
    (date '1997-10-01', date '1997-12-30', true),
    (date '1997-12-30', date '1998-07-01', true)
) as by_hand (period, closes_on, is_complete);

create or replace temp macro period_of(day) as case
    when day < date '1997-10-01' then date '1997-01-01'
    when day < date '1997-12-30' then date '1997-10-01'
    else date '1997-12-30'
end;
"""
_FRAME = """
create or replace temp table frame as
select period, closes_on, is_complete, segment_key, segment_key as segment, false as model_changed
from periods cross join (values ('one_time'), ('light'), ('heavy')) as by_hand (segment_key);
"""
_AFTER = {"gold/tmp_clock": _PERIODS, "kpi/tmp_frame": _FRAME}

# By the purchase days so far, at the opening and at the close alike.
_SEGMENTS = """
update told s
set segment_key = case when d.days <= 1 then 'one_time' when d.days <= 3 then 'light' else 'heavy' end
from (
    select c.as_of, c.customer_id, count(p.purchased_on) as days
    from told c
    left join purchase_days p on p.customer_id = c.customer_id and p.purchased_on < c.as_of
    group by c.as_of, c.customer_id
) d
where d.as_of = s.as_of and d.customer_id = s.customer_id
"""

Kpis = dict[str, dict[str, dict[str, Any]]]


def kpis_of_the_quarter(warehouse: Warehouse, settings: Settings) -> Kpis:
    """KPI table -> segment -> row, from 1 October 1997 and before 30 December. Overwrites the stored snapshots."""
    snapshots, kpis = queries.snapshots_query(settings), queries.kpi_query(settings)
    with warehouse.transaction() as connection:
        connection.execute("create or replace temp view scoped_orders as from silver.orders")
        files = chain("gold/tmp_timeline", through=("gold/tmp_snapshots",))
        _run_steps(connection, with_computed(files, snapshots), snapshots)
        connection.execute("create temp table told as from timeline")
        connection.execute(_SEGMENTS)
        for relation in ("summed_openings", "summed_closes"):
            connection.execute(f"create temp view {relation} as from told")
        connection.execute("create temp table summed_periods as from periods")
        flows = read_sql("gold/segment_flows")
        _execute(connection, f"create or replace table gold.segment_flows as {flows}", snapshots.parameters)
    with warehouse.reading() as connection:
        _run_steps(connection, steps_of(CLV_GROWTH, kpis), kpis)
        return {table.name: _rows(connection, f"kpi/{table.name}", kpis.parameters) for table in KPI_TABLES}


def _run_steps(connection: duckdb.DuckDBPyConnection, steps: Sequence[str | Computed | Read], query: Query) -> None:
    for step in steps:
        run_steps(connection, (step,), query.parameters)
        if isinstance(step, str):
            _execute(connection, _AFTER.get(step, ""), query.parameters)


def _execute(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Parameter]) -> None:
    for statement in connection.extract_statements(sql):
        connection.execute(statement, {name: parameters[name] for name in statement.named_parameters})


def _rows(
    connection: duckdb.DuckDBPyConnection, file: str, parameters: Mapping[str, Parameter]
) -> dict[str, dict[str, Any]]:
    columns, rows = rows_of(connection, read_sql(file), dict(parameters))
    found: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in rows]
    return {row["segment_key"]: row for row in found if str(row["period"]) == "1997-10-01"}
