"""Writing tables: contract check, delete slice, insert by explicit column list, all in the caller's transaction.

What belongs elsewhere: opening and committing (`database.py`), what to write (`outputs.py`), records on
their way into raw (`slices.py`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb
import pandas as pd
import pyarrow as pa

from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    BOOKKEEPING,
    CUSTOMER_HASH,
    ID_COLUMN,
    TABLES,
    Contract,
)
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.sql.chain import chain, files_before
from bridgecart_assets.warehouse.incremental.rebuild import begin_refresh
from bridgecart_assets.warehouse.incremental.scope import ChangedScope, FullScope, Scope, scoped
from bridgecart_assets.warehouse.storage.database import WarehouseError, WarehouseMissing, standing_tables
from bridgecart_assets.warehouse.storage.outputs import (
    Computed,
    Parameter,
    Query,
    Read,
)

_COMPUTED_AT_ONCE = 100_000


class ContractBroken(WarehouseError):
    """Rows do not keep the table's contract; nothing was written."""


def write_query(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    query: Query,
    batch_key: str | None,
    *,
    only_changes: bool = False,
) -> None:
    """Write the table of the contract, the query's co-outputs and aggregates, from their SQL files.

    With `only_changes` a table of customers keeps the rows of those that did not change since it was written.
    Raises WarehouseMissing when an input table is missing, ContractBroken when rows break a contract.
    """
    _require_inputs(connection, query)
    co_outputs, aggregates = ([TABLES[name] for name in names] for names in (query.co_outputs, query.aggregates))
    noted = BOOKKEEPING if query.incremental is not None else ()
    for target in (contract, *co_outputs, *aggregates, *query.optional_inputs, *noted):
        prepare(connection, target)
    parameters = {**query.parameters, BATCH_COLUMN: batch_key}
    if query.incremental is not None:
        made_by = chain(*_files(contract, query))
        scope = begin_refresh(
            connection, contract, query.incremental, made_by, query.parameters, only_changes=only_changes
        )
        parameters["changes_from"] = scope.changes_from
        if isinstance(scope, FullScope):
            _rebuild(connection, contract, scope, query, parameters)
        else:
            _update(connection, contract, scope, query, parameters)
        return
    run_steps(connection, steps_of(contract, query), parameters)
    for target in (contract, *co_outputs):
        _replace(connection, target, read_sql(file_of(target.full_name)), parameters, batch_key)


def write_frame(
    connection: duckdb.DuckDBPyConnection, contract: Contract, frame: pd.DataFrame, batch_key: str | None
) -> None:
    """Write the table of the contract from a small DataFrame; columns are matched by name.

    Raises ContractBroken when columns are missing or unknown, or values are none of the table.
    """
    prepare(connection, contract)
    _check_columns(contract, list(frame.columns))
    try:
        connection.register("handed_over", frame)
    except duckdb.DatabaseError as error:
        raise ContractBroken(f"{contract.full_name}: {str(error).splitlines()[0]}") from error
    _replace(connection, contract, "select * from handed_over", {}, batch_key)
    connection.unregister("handed_over")


def prepare(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Make the schema and the table if they are missing. Raises ContractBroken when the table has other columns.

    Bookkeeping of another version of BridgeCart is begun anew instead.
    """
    connection.execute(f"create schema if not exists {contract.schema}")
    connection.execute(contract.ddl())
    stored = _described(connection, f"select * from {contract.full_name}", {})
    if tuple(stored) == contract.column_names:
        return
    if contract not in BOOKKEEPING:
        raise ContractBroken(
            f"{contract.full_name} has other columns than this version of BridgeCart knows: "
            "move the warehouse file away and run `bridgecart run` to build it again."
        )
    # Without it the tables are rebuilt once, as a whole, and no row is lost.
    for table in BOOKKEEPING:
        connection.execute(f"drop table if exists {table.full_name}")
        prepare(connection, table)


def delete_slice(connection: duckdb.DuckDBPyConnection, contract: Contract, batch_key: str | None) -> None:
    """Delete the batch's rows, or all rows of a table that is not partitioned."""
    if contract.partitioned:
        connection.execute(f"delete from {contract.full_name} where {BATCH_COLUMN} = ?", [batch_key])
    else:
        connection.execute(f"delete from {contract.full_name}")


def count_rows(connection: duckdb.DuckDBPyConnection, contract: Contract, batch_key: str | None = None) -> int:
    """Rows of the table, or of one batch of it."""
    where = f" where {BATCH_COLUMN} = $batch_key" if batch_key is not None else ""
    parameters = {BATCH_COLUMN: batch_key} if batch_key is not None else {}
    rows = connection.execute(f"select count(*) from {contract.full_name}{where}", parameters).fetchall()
    return int(rows[0][0])


def steps_of(contract: Contract, query: Query) -> Sequence[str | Computed | Read]:
    """Steps before the rows of a query are selected: SQL files in order, and what Python computes between them."""
    computed = {step.file: step for step in query.computed}
    return [computed.get(file, file) for file in files_before(*_files(contract, query))]


def _files(contract: Contract, query: Query) -> Sequence[str]:
    return [file_of(table) for table in (contract.full_name, *query.co_outputs, *query.aggregates)]


def _require_inputs(connection: duckdb.DuckDBPyConnection, query: Query) -> None:
    standing = standing_tables(connection)
    missing = [table.name for table in query.inputs if table.name not in standing]
    if missing:
        keys = ", ".join(name.replace(".", "/") for name in missing)
        raise WarehouseMissing(f"Not in the warehouse yet: {', '.join(missing)}. Materialize {keys} first.")


def _replace(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    select: str,
    parameters: Mapping[str, Parameter],
    batch_key: str | None,
) -> None:
    used = _checked_parameters(connection, contract, select, parameters)
    delete_slice(connection, contract, batch_key)
    with _explaining(contract):
        insert_rows(connection, contract, select, used)
    check_key(connection, contract, contract.full_name, batch_key)


@contextmanager
def _explaining(contract: Contract) -> Iterator[None]:
    try:
        yield
    except (duckdb.ConstraintException, duckdb.ConversionException, duckdb.InvalidInputException) as error:
        raise ContractBroken(f"{contract.full_name}: {str(error).splitlines()[0]}") from error


def _rebuild(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    whole: FullScope,
    query: Query,
    parameters: Mapping[str, Parameter],
) -> None:
    """Replace all rows of a table of customers, and of its aggregates, one part of the customers after the other."""
    aggregates = [TABLES[name] for name in query.aggregates]
    select = read_sql(file_of(contract.full_name))
    for target in (contract, *aggregates):
        delete_slice(connection, target, None)
    for part in whole.parts(connection):
        _prepare_scope(connection, contract, part, query, parameters)
        used = _checked_parameters(connection, contract, select, parameters)
        with _explaining(contract):
            for rows in _clusters(connection, contract, query.cluster_by):
                insert_rows(connection, contract, f"select * from ({select}) where {rows}", used)
        made = f"(from {contract.full_name} where {part.condition(contract)})"
        check_key(connection, contract, made)
        for target in aggregates:
            _add_difference(connection, target, f"{contract.full_name} limit 0", made, parameters)


def _clusters(connection: duckdb.DuckDBPyConnection, contract: Contract, cluster_by: str) -> Sequence[str]:
    """Conditions that divide all rows: first those of no value that is stored together, then value by value."""
    column = f'"{contract.key[0]}"'
    values = (
        [f"date '{value.isoformat()}'" for (value,) in connection.execute(cluster_by).fetchall()] if cluster_by else []
    )
    if not values:
        return ["true"]
    return [f"{column} not in ({', '.join(values)})", *(f"{column} = {value}" for value in values)]


def _update(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    changes: ChangedScope,
    query: Query,
    parameters: Mapping[str, Parameter],
) -> None:
    """Replace the rows that may have changed, and take the difference into the tables of sums."""
    ((touched,),) = connection.execute("select count(*) from touched").fetchall()
    if not touched:
        return
    _prepare_scope(connection, contract, changes, query, parameters)
    select = read_sql(file_of(contract.full_name))
    used = _checked_parameters(connection, contract, select, parameters)
    connection.execute(f"create temp table fresh as from {contract.full_name} limit 0")
    connection.execute(f"insert into fresh by name {select}", used)
    check_key(connection, contract, "fresh")
    for name in query.aggregates:
        _add_difference(connection, TABLES[name], scoped(contract), "fresh", parameters)
    connection.execute(f"delete from {contract.full_name} where {changes.condition(contract)}")
    with _explaining(contract):
        insert_rows(connection, contract, "select * from fresh", {})


def _prepare_scope(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    scope: Scope,
    query: Query,
    parameters: Mapping[str, Parameter],
) -> None:
    if query.incremental is not None:
        scope.relate(connection, query.incremental)
    run_steps(connection, steps_of(contract, query), parameters)


def _add_difference(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    before: str,
    after: str,
    parameters: Mapping[str, Parameter],
) -> None:
    """Replace what the rows `before` gave to the sums by what the rows `after` give."""
    select = read_sql(file_of(contract.full_name))
    used = _used_parameters(connection, select, parameters)
    keys = _names(contract.key)
    sums = [f'"{column}"' for column in contract.column_names if column not in contract.key]
    for rows, name in ((before, "given_before"), (after, "given_after")):
        connection.execute(f"create or replace temp view summed as from {rows}")
        connection.execute(f"create or replace temp table {name} as {select}", used)
    negated = ", ".join(f"-{column} as {column}" for column in sums)
    connection.execute(
        f"create or replace temp table added_up as select {keys}, {', '.join(f'sum({c}) as {c}' for c in sums)} "
        f"from (from {contract.full_name} union all by name from given_after "
        f"union all by name select {keys}, {negated} from given_before) "
        f"group by {keys} having {' or '.join(f'sum({c}) <> 0' for c in sums)}"
    )
    _replace(connection, contract, "select * from added_up", {}, None)


def insert_rows(
    connection: duckdb.DuckDBPyConnection, contract: Contract, select: str, parameters: Mapping[str, Parameter]
) -> None:
    """Insert the rows of a query by the names of their columns."""
    names = _names(contract.column_names)
    connection.execute(
        f"insert into {contract.full_name} ({names}) select {names} from ({select}) as rows", dict(parameters)
    )


def _checked_parameters(
    connection: duckdb.DuckDBPyConnection, contract: Contract, select: str, parameters: Mapping[str, Parameter]
) -> dict[str, Parameter]:
    """The parameters that the query uses. Raises ContractBroken when its columns are not those of the table."""
    used = _used_parameters(connection, select, parameters)
    _check_columns(contract, _described(connection, select, used))
    return used


def _check_columns(contract: Contract, given: Sequence[str]) -> None:
    # Counted, not sets: a column that comes twice is one too many.
    expected, found = Counter(contract.column_names), Counter(map(str, given))
    missing, unknown = sorted((expected - found).elements()), sorted((found - expected).elements())
    if missing or unknown:
        raise ContractBroken(f"{contract.full_name}: columns missing {missing}, columns unknown {unknown}.")


def check_key(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rows: str, batch_key: str | None = None
) -> None:
    """Raise ContractBroken unless each row has a key of its own."""
    if CUSTOMER_HASH in contract.columns and ID_COLUMN in contract.key:
        # Whoever comes twice has their hash twice, and ten million numbers are compared sooner than texts.
        hashes = [CUSTOMER_HASH.name if column == ID_COLUMN else column for column in contract.key]
        if not _doubled(connection, contract, rows, hashes, batch_key):
            return
    doubled = _doubled(connection, contract, rows, contract.key, batch_key)
    if doubled:
        raise ContractBroken(
            f"{contract.full_name}: the key ({_names(contract.key)}) is not unique, for example {doubled}."
        )


def _doubled(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rows: str, key: Sequence[str], batch_key: str | None
) -> list[tuple[object, ...]]:
    """The first few values of the key that more than one row has."""
    columns = _names(key)
    where = f"where {BATCH_COLUMN} = $batch_key" if contract.partitioned else ""
    found: list[tuple[object, ...]] = connection.execute(
        f"select {columns} from {rows} {where} group by {columns} having count(*) > 1 order by {columns} limit 3",
        {BATCH_COLUMN: batch_key} if contract.partitioned else {},
    ).fetchall()
    return found


def run_steps(
    connection: duckdb.DuckDBPyConnection, steps: Sequence[str | Computed | Read], parameters: Mapping[str, Parameter]
) -> None:
    """Run SQL files, and what Python computes between them, on the caller's connection."""
    for step in steps:
        if isinstance(step, Computed):
            _compute(connection, step)
        elif isinstance(step, Read):
            _read(connection, step, parameters)
        else:
            _run_statements(connection, read_sql(step), parameters)


def _compute(connection: duckdb.DuckDBPyConnection, table: Computed) -> None:
    """Make the table from some rows at a time, so that Python's memory does not grow with them."""
    # No rowid: that of rows that are not committed yet begins anywhere.
    connection.execute(
        "create or replace temp table to_compute as "
        f"select *, row_number() over () - 1 as place from ({read_sql(table.file)}) as rows"
    )
    ((rows,),) = connection.execute("select count(*) from to_compute").fetchall()
    for first in range(0, max(rows, 1), _COMPUTED_AT_ONCE):
        some = connection.execute(
            "select * exclude (place) from to_compute where place >= ? and place < ?",
            [first, first + _COMPUTED_AT_ONCE],
        ).df()
        _take(connection, table.name, table.function(some), is_first=not first)
    connection.execute("drop table to_compute")


def _read(connection: duckdb.DuckDBPyConnection, table: Read, parameters: Mapping[str, Parameter]) -> None:
    """Make the table from some rows at a time: what is read of them is small, and they themselves may not be."""
    select = read_sql(table.file)
    rows = connection.sql(select, params=_used_parameters(connection, select, parameters)).to_arrow_reader(
        _COMPUTED_AT_ONCE
    )
    # Of no rows once, for the columns.
    parts = [table.function(pa.Table.from_batches([some])) for some in rows] or [
        table.function(rows.schema.empty_table())
    ]
    _take(connection, table.name, pa.concat_tables(parts), is_first=True)


def _take(connection: duckdb.DuckDBPyConnection, name: str, rows: pd.DataFrame | pa.Table, *, is_first: bool) -> None:
    connection.register("computed", rows)
    into = f"create or replace temp table {name} as" if is_first else f"insert into {name}"
    connection.execute(f"{into} from computed")
    connection.unregister("computed")


def _run_statements(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Parameter]) -> None:
    for statement in connection.extract_statements(sql):
        connection.execute(statement, {name: parameters[name] for name in sorted(statement.named_parameters)})


def _used_parameters(
    connection: duckdb.DuckDBPyConnection, select: str, parameters: Mapping[str, Parameter]
) -> dict[str, Parameter]:
    (statement,) = connection.extract_statements(select)
    return {name: parameters[name] for name in sorted(statement.named_parameters)}


def _described(
    connection: duckdb.DuckDBPyConnection, select: str, parameters: Mapping[str, Parameter]
) -> Sequence[str]:
    return [row[0] for row in connection.execute(f"describe {select}", dict(parameters)).fetchall()]


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
