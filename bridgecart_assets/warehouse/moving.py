"""Moving the large tables of a warehouse into the lake and back, each verified by a digest of its rows."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import duckdb

from bridgecart_assets.contracts import IN_LAKE, LAKE_HEADS, LAKE_OWNER, Contract
from bridgecart_assets.warehouse.lake.heads import Head, has_lake, is_in_lake, read_heads
from bridgecart_assets.warehouse.lake.iceberg import lake_of, unstage
from bridgecart_assets.warehouse.lake.session import Spark
from bridgecart_assets.warehouse.spark_engine import claim_lake, move_into_lake
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError
from bridgecart_assets.warehouse.storage.tables import prepare, sum_of_rows


class MoveFailed(WarehouseError):
    """A table does not say the same in its new place; everything stays where it was."""


@dataclass(frozen=True)
class Moved:
    """A table that was moved: its rows, and a digest of what they say, in whatever order."""

    table: str
    rows: int
    digest: str


def move_to_lake(warehouse: Warehouse, spark: Spark) -> Sequence[Moved]:
    """Put the large tables into the lake, in one transaction; then the file gives back their space.

    Raises WarehouseMissing, MoveFailed, SparkFailed, WarehouseError where they are in the lake already.
    """
    warehouse.require()
    claim_lake(warehouse)
    with warehouse.transaction() as connection:
        if is_in_lake(connection):
            raise WarehouseError(f"The large tables of {warehouse.path} are in the lake already.")
        for table in IN_LAKE:
            # Those that no run has made yet.
            prepare(connection, table)
        before = _digests(connection)
        move_into_lake(connection, spark)
        _require_same(before, _digests(connection))
    warehouse.rewrite()
    return before


def move_to_file(warehouse: Warehouse, spark: Spark) -> Sequence[Moved]:
    """Put the large tables back into the file, in one transaction; then those of the lake go.

    Raises WarehouseMissing, MoveFailed, WarehouseError where they are not in the lake, and SparkFailed where a catalog
    has them.
    """
    warehouse.require()
    with lake_in_reach(spark):
        with warehouse.transaction() as connection:
            if not is_in_lake(connection):
                raise WarehouseError(f"The large tables of {warehouse.path} are not in the lake.{_left(spark)}")
            heads = read_heads(connection)
            moved = _bring_all_back(connection)
        remove_lake(spark, heads)
    return moved


def lake_in_reach(spark: Spark) -> AbstractContextManager[object]:
    """Meanwhile the tables of a lake can be deleted. Raises SparkFailed where its catalog cannot be asked."""
    return spark.session() if spark.catalog else nullcontext()


def remove_lake(spark: Spark, heads: Mapping[str, Head]) -> None:
    """Delete the tables of a lake whose heads the warehouse names no more. Raises SparkFailed where a catalog has them.

    They have names and phone numbers of customers, whom nobody would find there to forget them.
    """
    if spark.catalog:
        with lake_of(spark) as lake:
            for table in IN_LAKE:
                lake.drop(table, heads[table.full_name])
    else:
        for tables in _tables_of(spark.folder):
            shutil.rmtree(tables)
    unstage(spark.folder)


def _left(spark: Spark) -> str:
    """Advice on tables that a killed move may have left there, or that are another warehouse's."""
    if spark.catalog:
        return f" Drop what is left in {spark.catalog}, unless another warehouse uses it."
    return f" Delete {spark.folder}, unless another warehouse uses it." if any(_tables_of(spark.folder)) else ""


def _tables_of(folder: Path) -> Sequence[Path]:
    """The folders of a lake that have tables."""
    folders = (folder / schema for schema in sorted({table.schema for table in IN_LAKE}))
    return [one for one in folders if one.exists()]


@contextmanager
def in_one_file(warehouse: Warehouse) -> Iterator[Warehouse]:
    """The warehouse, or a copy with the rows of the lake, which is gone at the end. Raises WarehouseMissing."""
    if not has_lake(warehouse):
        yield warehouse
        return
    with warehouse.copied() as copy:
        with copy.transaction() as connection:
            _bring_all_back(connection)
        yield copy


def _bring_all_back(connection: duckdb.DuckDBPyConnection) -> Sequence[Moved]:
    """Put the large tables back into the file. Raises MoveFailed."""
    before = _digests(connection)
    for table in IN_LAKE:
        _bring_back(connection, table)
    connection.execute(f"drop table {LAKE_HEADS.full_name}")
    # Who restores a backup has a warehouse of their own.
    connection.execute(f"drop table if exists {LAKE_OWNER.full_name}")
    _require_same(before, _digests(connection))
    return before


def _bring_back(connection: duckdb.DuckDBPyConnection, table: Contract) -> None:
    connection.execute(f"alter view {table.full_name} rename to moved")
    connection.execute(table.ddl())
    # As the writers leave them: what is looked for together stands together.
    order = next(name for name in _ORDERS if name[0] in table.column_names)
    connection.execute(f"insert into {table.full_name} by name from {table.schema}.moved order by {', '.join(order)}")
    connection.execute(f"drop view {table.schema}.moved")


_ORDERS = (("purchased_at",), ("batch_key", '"partition"', '"offset"'), ("customer_hash",))


def _digests(connection: duckdb.DuckDBPyConnection) -> Sequence[Moved]:
    return [_digest(connection, table) for table in IN_LAKE]


def _digest(connection: duckdb.DuckDBPyConnection, table: Contract) -> Moved:
    rows, digest = sum_of_rows(connection, table.full_name)
    return Moved(table.full_name, rows, f"{digest:x}")


def _require_same(before: Sequence[Moved], after: Sequence[Moved]) -> None:
    differing = [one.table for one, other in zip(before, after, strict=True) if one != other]
    if differing:
        raise MoveFailed(f"Moved, these tables would say something else: {', '.join(differing)}. Nothing was moved.")
