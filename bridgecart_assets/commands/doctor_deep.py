"""`bridgecart doctor --deep`: every block of the warehouse and every published file is read and decoded.

DuckDB checks a block's sum when it reads the block, so damage to a table that nobody reads stays unseen for years. And
the totals of customers, which batches carry on, are held to all of their orders.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import duckdb

from bridgecart_assets.base.settings import Settings, SettingsError
from bridgecart_assets.commands.doctor_findings import Finding
from bridgecart_assets.contracts import TABLES
from bridgecart_assets.sources.kafka.errors import KafkaFailure
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.offsets import TopicState
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.incremental.verification import wrong_totals
from bridgecart_assets.warehouse.publishing import published_path
from bridgecart_assets.warehouse.queries import features_query
from bridgecart_assets.warehouse.storage.database import (
    DuckDBFailed,
    Warehouse,
    WarehouseUnusable,
    reason_of,
    standing_tables,
)
from bridgecart_assets.warehouse.storage.tables import sum_of_rows

# Done, of how many, and what is read next.
Reading = Callable[[int, int, str], None]

_NAMED = 3
_REMEDY = (
    "Restore it from a backup (`bridgecart restore`), or move it away and run `bridgecart run` to build it again "
    "from the topic."
)


def read_everything(settings: Settings, *, progress: Reading) -> list[Finding]:
    """Tables and published files that cannot be read, or do not say what they should.

    Raises WarehouseUnusable or DuckDBFailed when the warehouse cannot even be opened.
    """
    warehouse = warehouse_from_settings(settings)
    tables = _tables(warehouse)
    files = sorted(settings.published_dir.rglob("*.parquet"))
    steps = len(tables) + 1 + len(files)
    sums: dict[str, tuple[int, int]] = {}
    damaged: dict[str, str] = {}
    for done, table in enumerate(tables):
        progress(done, steps, table)
        try:
            sums[table] = sum_of_table(warehouse, table)
        except (WarehouseUnusable, DuckDBFailed) as error:
            damaged[table] = error.reason
    findings = [Finding("warehouse", f"{table} cannot be read ({why}).", _REMEDY) for table, why in damaged.items()]
    if damaged:
        findings.append(
            Finding("topic", what_the_topic_has(settings), "That is what a rebuild can rest on.", is_note=True)
        )
    progress(len(tables), steps, "totals of customers")
    if tables and not damaged:
        findings.extend(_totals_findings(warehouse, settings))
    published = {published_path(settings.published_dir, contract): name for name, contract in TABLES.items()}
    for done, file in enumerate(files, start=len(tables) + 1):
        progress(done, steps, file.name)
        findings.extend(published_findings(file, published, sums))
    return findings


def _totals_findings(warehouse: Warehouse, settings: Settings) -> Iterator[Finding]:
    with warehouse.reading() as connection:
        wrong = wrong_totals(connection, features_query(settings))
    if wrong:
        says = f"The totals of {wrong:,} customers are not what their orders add up to."
        yield Finding("warehouse", says, "`bridgecart run --full` makes everything anew from the orders.")


def what_the_topic_has(settings: Settings) -> str:
    """A sentence on what a warehouse that is rebuilt from the topic would lack."""
    try:
        state = topic_state(kafka_connection(settings))
    except (KafkaFailure, SettingsError) as error:
        why = str(error).rstrip(".")
        return f"What the topic still has could not be asked ({why}); what it does not have any more would be missing."
    return f"{_retained(state)} Files that were imported have to be imported again."


def _retained(state: TopicState) -> str:
    gone = {p: span.start for p, span in sorted(state.partitions.items()) if span.start > 0}
    if not gone:
        return f"Topic {state.topic} still has every offset, so nothing of it will be missing."
    named = ", ".join(f"partition {p} [0, {start:,})" for p, start in list(gone.items())[:_NAMED])
    more = f" and {len(gone) - _NAMED} more" if len(gone) > _NAMED else ""
    has = sum(span.count for span in state.partitions.values())
    return (
        f"Topic {state.topic} still has {has:,} offsets; {sum(gone.values()):,} cannot be read again and will be "
        f"missing: {named}{more}."
    )


def _tables(warehouse: Warehouse) -> list[str]:
    if not warehouse.exists:
        return []
    with warehouse.reading() as connection:
        return sorted(standing_tables(connection))


def sum_of_table(warehouse: Warehouse, table: str) -> tuple[int, int]:
    """Number of rows of a table, and a sum over all their values. Raises WarehouseUnusable, DuckDBFailed."""
    # A connection each: after damage an instance may do nothing any more.
    with warehouse.reading() as connection:
        return sum_of_rows(connection, table)


def published_findings(
    file: Path, published: Mapping[Path, str], sums: Mapping[str, tuple[int, int]]
) -> Iterator[Finding]:
    """A published file that cannot be read, or has other rows than its table, whose sum is given."""
    renew = "`bridgecart run --full` writes it anew."
    try:
        with duckdb.connect() as connection:
            connection.read_parquet(str(file)).create_view("published")
            said = sum_of_rows(connection, "published")
    except duckdb.Error as error:
        yield Finding("published", f"{file} cannot be read ({reason_of(error)}).", renew)
        return
    table = published.get(file, "")
    if sums.get(table, said) != said:
        says = f"{file} is not what {table} has: it is older, or damaged."
        yield Finding("published", says, renew, is_note=True)
