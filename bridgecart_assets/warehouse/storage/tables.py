"""Rows into tables: contract check, delete slice, insert by explicit column list, all in the caller's transaction.

What belongs elsewhere: opening and committing (`database.py`), which rows are written (`warehouse/writing.py`), records
on their way into raw (`warehouse/slices.py`).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb
import pandas as pd

from bridgecart_assets.base.quoting import sql_names, sql_text
from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    BOOKKEEPING,
    CUSTOMER_HASH,
    CUSTOMER_SNAPSHOTS,
    ID_COLUMN,
    SEGMENT_MEMBERSHIP,
    Contract,
)
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.storage.database import WarehouseError, columns_of
from bridgecart_assets.warehouse.storage.lake_views import typed_columns
from bridgecart_assets.warehouse.storage.outputs import (
    Computed,
    Parameter,
    Query,
    Read,
)

_COMPUTED_AT_ONCE = 100_000
# To count the rows of these views takes a look at everybody.
_COUNTS = {view: f"counts/{view.name}" for view in (CUSTOMER_SNAPSHOTS, SEGMENT_MEMBERSHIP)}
_PARAMETER = re.compile(r"\$(\w+)")
_COMMENT = re.compile("--.*")


class ContractBroken(WarehouseError):
    """Rows do not keep the table's contract; nothing was written."""


def prepare(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Make the schema and the table if they are missing. Raises ContractBroken when the table has other columns.

    Bookkeeping of another version of BridgeCart is begun anew instead. A view is made when its asset is written.
    """
    stored = None if contract.is_view else columns_of(connection, contract)
    if stored is None:
        connection.execute(f"create schema if not exists {contract.schema}")
        if not contract.is_view:
            connection.execute(contract.ddl())
        return
    if stored == contract.column_names:
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


def make_view(connection: duckdb.DuckDBPyConnection, view: Contract, parameters: Mapping[str, Parameter]) -> None:
    """Make the view of the contract from its SQL file; a view is bound to nothing, so it says its parameters itself.

    Raises ContractBroken when its columns are not those of the contract.
    """
    sql = read_sql(file_of(view.full_name))
    used = used_parameters(sql, parameters)
    select = _PARAMETER.sub(lambda found: _literal(used[found[1]]) if found[1] in used else found[0], sql)
    check_columns(view, _described(connection, select, {}))
    rows = f"select {typed_columns(view)} from ({select}) as rows"
    connection.execute(f"create or replace view {view.full_name} as {rows}")


def _literal(value: Parameter) -> str:
    """The value as SQL writes it, of the type that it has when it is bound."""
    match value:
        case None:
            return "null"
        case str():
            return sql_text(value)
        case list():
            return f"[{', '.join(map(sql_text, value))}]"
        case float():
            return f"{value!r}::double"
        case _:
            return str(value)


def sum_of_rows(connection: duckdb.DuckDBPyConnection, rows: str) -> tuple[int, int]:
    """Number of rows, and a sum over all their values that does not depend on their order."""
    # A name that no column has: `gold.purchase_model` has a column r.
    sql = f"select count(*), coalesce(sum(hash(every_column)), 0) from {rows} as every_column"
    ((count, total),) = connection.execute(sql).fetchall()
    return int(count), int(total)


def delete_slice(connection: duckdb.DuckDBPyConnection, contract: Contract, batch_key: str | None) -> None:
    """Delete the batch's rows, or all rows of a table that is not partitioned."""
    if contract.partitioned:
        connection.execute(f"delete from {contract.full_name} where {BATCH_COLUMN} = ?", [batch_key])
    else:
        connection.execute(f"delete from {contract.full_name}")


def count_rows(connection: duckdb.DuckDBPyConnection, contract: Contract, batch_key: str | None = None) -> int:
    """Rows of the table, or of one batch of it. Those of some views are told by what is stored."""
    where = f" where {BATCH_COLUMN} = $batch_key" if batch_key is not None else ""
    parameters = {BATCH_COLUMN: batch_key} if batch_key is not None else {}
    count = read_sql(_COUNTS[contract]) if contract in _COUNTS else f"select count(*) from {contract.full_name}{where}"
    rows = connection.execute(count, parameters).fetchall()
    return int(rows[0][0])


def steps_of(contract: Contract, query: Query) -> Sequence[str | Computed | Read]:
    """Steps before the rows of a query are selected: SQL files in order, and what Python computes between them."""
    return with_computed(files_before(*files_of(contract, query)), query)


def with_computed(files: Sequence[str], query: Query) -> Sequence[str | Computed | Read]:
    """SQL files as steps, what Python computes in the places of those that have its rows."""
    computed = {step.file: step for step in query.computed}
    return [computed.get(file, file) for file in files]


def files_of(contract: Contract, query: Query) -> Sequence[str]:
    """The SQL files whose rows a query writes."""
    return [file_of(table) for table in (contract.full_name, *query.co_outputs)]


def replace_rows(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    select: str,
    parameters: Mapping[str, Parameter],
    batch_key: str | None,
) -> None:
    """Replace the batch's rows, or all rows, by those of a select. Raises ContractBroken."""
    used = checked_parameters(connection, contract, select, parameters)
    delete_slice(connection, contract, batch_key)
    with explaining(contract):
        insert_rows(connection, contract, select, used)
    check_key(connection, contract, contract.full_name, batch_key)


@contextmanager
def explaining(contract: Contract) -> Iterator[None]:
    """Errors of what the database refuses to store, raised as ContractBroken."""
    try:
        yield
    except (duckdb.ConstraintException, duckdb.ConversionException, duckdb.InvalidInputException) as error:
        raise ContractBroken(f"{contract.full_name}: {str(error).splitlines()[0]}") from error


def insert_rows(
    connection: duckdb.DuckDBPyConnection, contract: Contract, select: str, parameters: Mapping[str, Parameter]
) -> None:
    """Insert the rows of a query by the names of their columns."""
    names = sql_names(contract.column_names)
    connection.execute(
        f"insert into {contract.full_name} ({names}) select {names} from ({select}) as rows", dict(parameters)
    )


def checked_parameters(
    connection: duckdb.DuckDBPyConnection, contract: Contract, select: str, parameters: Mapping[str, Parameter]
) -> dict[str, Parameter]:
    """The parameters that the query uses. Raises ContractBroken when its columns are not those of the table."""
    used = used_parameters(select, parameters)
    check_columns(contract, _described(connection, select, used))
    return used


def check_columns(contract: Contract, given: Sequence[str]) -> None:
    """Raise ContractBroken unless the columns given are those of the contract."""
    # Counted, not sets: a column that comes twice is one too many.
    expected, found = Counter(contract.column_names), Counter(map(str, given))
    missing, unknown = sorted((expected - found).elements()), sorted((found - expected).elements())
    if missing or unknown:
        raise ContractBroken(f"{contract.full_name}: columns missing {missing}, columns unknown {unknown}.")


def check_key(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rows: str, batch_key: str | None = None
) -> None:
    """Raise ContractBroken unless each row has a key of its own."""
    if CUSTOMER_HASH.name in contract.column_names and ID_COLUMN in contract.key:
        # Whoever comes twice has their hash twice, and ten million numbers are compared sooner than texts.
        hashes = [CUSTOMER_HASH.name if column == ID_COLUMN else column for column in contract.key]
        if not _doubled(connection, contract, rows, hashes, batch_key):
            return
    doubled = _doubled(connection, contract, rows, contract.key, batch_key)
    if doubled:
        raise ContractBroken(
            f"{contract.full_name}: the key ({sql_names(contract.key)}) is not unique, for example {doubled}."
        )


def check_people(connection: duckdb.DuckDBPyConnection, contract: Contract, rows: str, people: str) -> None:
    """Raise ContractBroken unless each customer among the people, who are there once, has one of the rows.

    Sums of hashes of hashes say so, in a tenth of the time that a comparison of all takes.
    """
    summed = f"select (count(*), sum(hash({CUSTOMER_HASH.name}))) from"
    ((is_same,),) = connection.execute(f"select ({summed} {rows}) = ({summed} {people})").fetchall()
    if not is_same:
        check_key(connection, contract, rows)
        raise ContractBroken(f"{contract.full_name}: not the customers of {people}.")


def _doubled(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rows: str, key: Sequence[str], batch_key: str | None
) -> list[tuple[object, ...]]:
    """The first few values of the key that more than one row has."""
    columns = sql_names(key)
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
    """Read some rows at a time: what is read of them is small, and they themselves may not be. Nothing is copied."""
    select = read_sql(table.file)
    rows = connection.sql(select, params=used_parameters(select, parameters))
    with rows.to_arrow_reader(_COMPUTED_AT_ONCE) as some:
        read = table.function(some)
    connection.register(table.name, read)


def _take(connection: duckdb.DuckDBPyConnection, name: str, rows: pd.DataFrame, *, is_first: bool) -> None:
    connection.register("computed", rows)
    into = f"create or replace temp table {name} as" if is_first else f"insert into {name}"
    connection.execute(f"{into} from computed")
    connection.unregister("computed")


def _run_statements(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, Parameter]) -> None:
    for statement in connection.extract_statements(sql):
        connection.execute(statement, {name: parameters[name] for name in sorted(statement.named_parameters)})


def used_parameters(select: str, parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The parameters that a statement names. DuckDB would parse it once more to tell, half a millisecond a kilobyte."""
    return {name: parameters[name] for name in sorted(set(_PARAMETER.findall(_COMMENT.sub("", select))))}


def _described(
    connection: duckdb.DuckDBPyConnection, select: str, parameters: Mapping[str, Parameter]
) -> Sequence[str]:
    return [row[0] for row in connection.execute(f"describe {select}", dict(parameters)).fetchall()]
