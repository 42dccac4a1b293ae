"""Records of raw that say something of everybody: looked for by parts of customers, read by ranges of batches.

So each record is read once, and in the memory of a range, however many parts there are. What belongs elsewhere: the
rows that are made of it (`refresh.py`).
"""

from collections.abc import Mapping, Sequence

import duckdb

from bridgecart_assets.contracts import SILVER_CUSTOMERS
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.sql.headers import headers
from bridgecart_assets.warehouse.incremental.scope import FullScope
from bridgecart_assets.warehouse.storage.outputs import Computed, Incremental, Parameter, Read
from bridgecart_assets.warehouse.storage.tables import run_steps

# Of two batches of the largest size by default.
_RECORDS_IN_RANGE = 1_000_000
_RANGES = """
with batches as (
    select batch_key, (sum(count(*)) over (order by batch_key) - count(*)) // $records as place
    from every_{sought}
    group by batch_key
)
select min(batch_key), max(batch_key) from batches group by place order by place
"""


def read_of_everybody(
    connection: duckdb.DuckDBPyConnection,
    whole: FullScope,
    incremental: Incremental,
    steps: Sequence[str | Computed | Read],
    parameters: Mapping[str, Parameter],
) -> str:
    """Run the steps that look for records, and those that read them; the relation that the last of them makes.

    `show_part` makes it again, for a part.
    """
    looking = chain(incremental.sought)
    reading = [step for step in steps if step not in looking]
    sought, said = _made_by(looking[-1]), _made_by(reading[-1])
    for number, part in enumerate(whole.parts(connection, large=True)):
        part.relate(connection, incremental)
        run_steps(connection, looking, parameters)
        _keep(connection, sought, is_first=not number)
    for number, (first, last) in enumerate(_ranges(connection, sought)):
        _show(connection, sought, "batch_key between $first and $last", first=first, last=last)
        run_steps(connection, reading, parameters)
        _keep(connection, said, is_first=not number)
    return said


def show_part(connection: duckdb.DuckDBPyConnection, said: str, part: FullScope) -> None:
    """Make the relation of what records say, of the customers of a part."""
    _show(connection, said, part.condition(SILVER_CUSTOMERS))


def _made_by(step: str | Computed | Read) -> str:
    (relation,) = headers()[step if isinstance(step, str) else step.file].made
    return relation


def _ranges(connection: duckdb.DuckDBPyConnection, sought: str) -> Sequence[tuple[str, str]]:
    """The first and last batches of ranges; one of nothing where nothing is sought."""
    found = connection.execute(_RANGES.format(sought=sought), {"records": _RECORDS_IN_RANGE}).fetchall()
    return [(str(first), str(last)) for first, last in found] or [("", "")]


def _keep(connection: duckdb.DuckDBPyConnection, relation: str, *, is_first: bool) -> None:
    into = f"create or replace temp table every_{relation} as" if is_first else f"insert into every_{relation}"
    connection.execute(f"{into} from {relation}")


def _show(connection: duckdb.DuckDBPyConnection, relation: str, condition: str, **parameters: str) -> None:
    rows = f"from every_{relation} where {condition}"
    connection.execute(f"create or replace temp table {relation} as {rows}", parameters)
