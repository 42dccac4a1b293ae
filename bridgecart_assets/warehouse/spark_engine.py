"""Spark as the engine: what grows with orders and customers stands in the lake, and customers are made share by share.

Everything else, and which snapshots of the lake count, stays in the DuckDB file, in whose transactions all is written:
of what a transaction commits to the lake nothing counts unless it ends well. A batch is read and judged by DuckDB on
this machine, with those batches beside it that have events of its orders, unless it is large; so are the rows of few
customers who changed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeGuard

import duckdb
import pandas as pd

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts import (
    BATCH_COLUMN,
    BOOKKEEPING,
    CUSTOMER_TOTALS,
    IN_LAKE,
    LAKE_OWNER,
    RAW_BATCHES,
    RAW_ORDERS,
    SEGMENT_FLOWS,
    SILVER_ORDERS,
    TABLES,
    Contract,
)
from bridgecart_assets.sources.kafka.offsets import BatchPlan
from bridgecart_assets.sql import file_of
from bridgecart_assets.sql.chain import chain
from bridgecart_assets.warehouse.customer_work import RECORD_KEY, work_on, work_to_seek
from bridgecart_assets.warehouse.incremental.openings import add_to_flows
from bridgecart_assets.warehouse.incremental.rebuild import (
    Decision,
    RefreshState,
    decide,
    forget_followed,
    note_refresh,
    refreshes_now,
)
from bridgecart_assets.warehouse.incremental.refresh import made_by, make_rows
from bridgecart_assets.warehouse.incremental.scope import ChangedScope
from bridgecart_assets.warehouse.lake.heads import (
    Head,
    Part,
    batches_beside,
    batches_of,
    bring_in,
    changed_part,
    drop_temporary,
    has_lake,
    hashes_of,
    held_any,
    is_in_lake,
    move_head,
    owner_of_lake,
    put_away,
    read_heads,
)
from bridgecart_assets.warehouse.lake.iceberg import Lake, lake_of, unstage
from bridgecart_assets.warehouse.lake.session import Spark, application
from bridgecart_assets.warehouse.lake.shares import (
    Division,
    by_customer,
    make_by_shares,
    number_of_shares,
    rows_of_target,
)
from bridgecart_assets.warehouse.large_batches import LargeBatch
from bridgecart_assets.warehouse.large_slices import can_be_read_by_workers, write_large_slice
from bridgecart_assets.warehouse.slices import write_file_slice, write_kafka_slice
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError, columns_of, standing_tables
from bridgecart_assets.warehouse.storage.engine import Engine
from bridgecart_assets.warehouse.storage.outputs import Carried, Changes, FileSlice, Incremental, KafkaSlice, Query
from bridgecart_assets.warehouse.storage.tables import delete_slice, make_view, prepare, run_steps, with_computed
from bridgecart_assets.warehouse.writing import write_frame, write_query

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_LAKE = {table.full_name: table for table in IN_LAKE}
_ACCEPTED = "silver/tmp_accepted"
_BATCH, _TOPIC, _OFFSETS = "bridgecart.batch", "bridgecart.topic", "bridgecart.offsets"
# Of more, Spark's workers are faster.
_FEW_CUSTOMERS = 50_000


@dataclass(frozen=True)
class SparkEngine:
    """An engine whose every write is one transaction of the file, after commits to the lake that it names."""

    warehouse: Warehouse
    spark: Spark

    @property
    def facts(self) -> Mapping[str, str]:
        """That it is Spark, and under which number Spark knows of this run."""
        return {"engine": "spark", **application()}

    def write(
        self, contract: Contract, rows: Query | pd.DataFrame, batch_key: str | None, *, only_changes: bool = False
    ) -> None:
        """Write the table in one transaction."""
        with self._writing() as connection:
            if isinstance(rows, pd.DataFrame):
                write_frame(connection, contract, rows, batch_key)
            elif contract == SILVER_ORDERS:
                self._write_batch(connection, contract, rows, str(batch_key))
            elif rows.carried is not None and rows.carried.tables and rows.incremental is not None:
                _Customers(self, connection, contract, rows, rows.incremental).carry(rows.carried, only_changes)
            elif rows.incremental is not None and rows.carried is None:
                _Customers(self, connection, contract, rows, rows.incremental).refresh(only_changes)
            else:
                write_query(connection, contract, rows, batch_key, only_changes=only_changes)

    def write_slice(self, planned: KafkaSlice | FileSlice) -> None:
        """Read the records here or in workers, and put them into the lake by a commit that says the plan."""
        plan = planned.plan
        with self._writing() as connection:
            if self._is_read_by_workers(planned, connection):
                timezone = self.warehouse.naive_timezone
                write_large_slice(self.spark, connection, planned, timezone, _said_of(plan))
                return
            said: dict[str, str] = {}
            with self.brought_in(connection, [Part(RAW_ORDERS, [plan.batch_key])], said):
                # Of the plan as far as it was read.
                said |= _said_of(
                    write_file_slice(connection, planned)
                    if isinstance(planned, FileSlice)
                    else write_kafka_slice(connection, planned)
                )

    def _is_read_by_workers(
        self, planned: KafkaSlice | FileSlice, connection: duckdb.DuckDBPyConnection
    ) -> TypeGuard[KafkaSlice]:
        return (
            isinstance(planned, KafkaSlice)
            and self.spark.is_large(planned.plan.records)
            and can_be_read_by_workers(connection, planned)
        )

    def tidy(self, before: datetime) -> Mapping[str, int]:
        """Merge small files, and delete those that only snapshots from before need; how many, by table.

        Whoever reads has the snapshots from then on until they are done.
        """
        with lake_of(self.spark) as lake, self._writing() as connection:
            for name, head in read_heads(connection).items():
                move_head(connection, _LAKE[name], lake.compact(_LAKE[name], head))
        return self._expire(before)

    def rewrite(self) -> None:
        """Put a new file in the place of the old one, and delete every file of the lake that is not needed now."""
        self.warehouse.rewrite()
        if has_lake(self.warehouse):
            self._expire(datetime.now(UTC))

    def _expire(self, before: datetime) -> Mapping[str, int]:
        # In a transaction that writes nothing: meanwhile nobody else commits to the lake.
        with lake_of(self.spark) as lake, self._writing() as connection:
            unstage(self.spark.folder)
            return {name: lake.expire(_LAKE[name], head, before) for name, head in read_heads(connection).items()}

    @contextmanager
    def changing(self, connection: duckdb.DuckDBPyConnection, records: str, customers: str) -> Iterator[None]:
        """Meanwhile rows stand in the file: of these records, of their orders, and of these customers.

        As they do in a warehouse that was restored, which is in the lake no more.
        """
        if not is_in_lake(connection):
            yield
            return
        batches = batches_of(connection, records, customers)
        hashes = hashes_of(connection, customers)
        with self.brought_in(connection, [Part(one, batches if one.partitioned else hashes) for one in IN_LAKE]):
            yield

    def drop(self, connection: duckdb.DuckDBPyConnection, tables: Iterable[Contract]) -> None:
        """Drop the tables of the file; those of the lake have no rows any more."""
        self._require_in_lake(connection)
        heads = read_heads(connection)
        with lake_of(self.spark) as lake:
            for table in tables:
                if table in IN_LAKE:
                    lake.settle(table, heads[table.full_name])
                    move_head(connection, table, lake.empty(table))
                else:
                    connection.execute(f"drop {table.kind} if exists {table.full_name}")

    @contextmanager
    def replaced(self) -> Iterator["SparkEngine"]:
        """An engine on a copy of the file, which names what counts of what it commits to the lake.

        Raises WarehouseError.
        """
        with self.warehouse.reading() as connection:
            self._require_in_lake(connection)
        with self.warehouse.replaced() as copy:
            yield SparkEngine(copy, self.spark)

    @contextmanager
    def _writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A transaction of the file; a new warehouse begins in the lake."""
        if self._begins():
            claim_lake(self.warehouse)
        with self.warehouse.transaction() as connection:
            if _begins(connection):
                for table in IN_LAKE:
                    prepare(connection, table)
                move_into_lake(connection, self.spark)
            self._require_in_lake(connection)
            yield connection

    def _begins(self) -> bool:
        if not self.warehouse.exists:
            return True
        with self.warehouse.reading() as connection:
            return _begins(connection)

    def _require_in_lake(self, connection: duckdb.DuckDBPyConnection) -> None:
        if not is_in_lake(connection):
            raise WarehouseError(
                f"The warehouse {self.warehouse.path} is not in the lake: run `bridgecart move --to spark`, or leave "
                "BRIDGECART_ENGINE at duckdb."
            )

    def _write_batch(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, query: Query, batch_key: str
    ) -> None:
        records = _records_of(connection, batch_key)
        if self.spark.is_large(records):
            timezone, properties = self.warehouse.naive_timezone, {_BATCH: batch_key}
            LargeBatch(self.spark, connection, query, batch_key, timezone, properties).write(records)
            return
        tables = [table for table in (contract, *(TABLES[name] for name in query.co_outputs)) if table in IN_LAKE]
        batches = self._batches_beside(connection, query, batch_key)
        with self.brought_in(connection, [Part(table, batches) for table in tables], {_BATCH: batch_key}):
            write_query(connection, contract, query, batch_key)

    def _batches_beside(self, connection: duckdb.DuckDBPyConnection, query: Query, batch_key: str) -> Sequence[str]:
        """The batch and those that have events of the orders that it claims, or claimed before."""
        for table in query.optional_inputs:
            prepare(connection, table)
        steps = with_computed(chain(_ACCEPTED), query)
        run_steps(connection, steps, {**query.parameters, BATCH_COLUMN: batch_key})
        batches = batches_beside(connection, "accepted", batch_key)
        # The writing makes all of it again, where it finds these rows.
        drop_temporary(connection)
        return batches

    @contextmanager
    def brought_in(
        self,
        connection: duckdb.DuckDBPyConnection,
        parts: Sequence[Part],
        properties: Mapping[str, str] = MappingProxyType({}),
    ) -> Iterator[None]:
        """Meanwhile these parts of tables stand in the file; what changed goes to the lake, with these properties."""
        heads = read_heads(connection)
        bring_in(connection, parts)
        yield
        for part in parts:
            head, changed = heads[part.table.full_name], changed_part(connection, part)
            if changed.values:
                head = self._put_back(connection, changed, head, properties)
            put_away(connection, part.table, head)

    def _put_back(
        self, connection: duckdb.DuckDBPyConnection, part: Part, head: Head, properties: Mapping[str, str]
    ) -> Head:
        held = held_any(connection, part)
        with lake_of(self.spark) as lake, lake.staged(connection, part.table, part) as rows:
            lake.settle(part.table, head)
            return lake.replace_part(part, head, rows, held=held, properties=properties)


@dataclass(frozen=True)
class _Customers:
    """A table of customers, or those behind a view of them, on its way to the rows of its query."""

    engine: SparkEngine
    connection: duckdb.DuckDBPyConnection
    contract: Contract
    query: Query
    incremental: Incremental

    def refresh(self, only_changes: bool) -> None:
        """Make the rows of customers that changed where these are few, else those of all, share by share."""
        stored = self.query.stored_in or self.contract
        self._prepare()
        decision = self._decide(stored, only_changes=only_changes)
        touched = self._touched() if isinstance(decision.scope, ChangedScope) else []
        if len(touched) > _FEW_CUSTOMERS:
            decision = self._decide(stored, only_changes=False)
        if isinstance(decision.scope, ChangedScope):
            with self._brought_in(touched, stored):
                make_rows(self.connection, stored, self.query, self.incremental, decision.scope)
        else:
            self._make()
            if self.incremental.replaced is not None:
                delete_slice(self.connection, self.incremental.replaced, None)
        note_refresh(self.connection, self.contract, decision.state)
        if self.incremental.replaced is not None:
            forget_followed(self.connection, self.incremental.replaced)
        if self.contract.is_view:
            make_view(self.connection, self.contract, self.query.parameters)

    def carry(self, carried: Carried, only_changes: bool) -> None:
        """Carry the tables behind a view on by few customers of the same date, else make the rows of all."""
        self._prepare()
        prepare(self.connection, SEGMENT_FLOWS)
        files = (file_of(self.contract.full_name), *carried.files)
        before, now = refreshes_now(self.connection, self.contract, self.incremental, files, self.query.parameters)
        if only_changes and before is not None and self._follow(carried, before, now):
            note_refresh(self.connection, self.contract, replace(now, checked=before.checked))
        else:
            self._make()
            note_refresh(self.connection, self.contract, replace(now, full_rebuilds=now.full_rebuilds + 1))
        make_view(self.connection, self.contract, self.query.parameters)

    def _follow(self, carried: Carried, before: RefreshState, now: RefreshState) -> bool:
        """Take in what came and went; False, and nothing is written, where the rows of all have to be made."""
        if (before.state, before.as_of) != (now.state, now.as_of):
            return False
        changes = Changes(before.revision, now.revision, before.as_of)
        run_steps(self.connection, ("internal/touched",), {"after": changes.after, "revision": changes.revision})
        touched = self._touched()
        if not touched:
            return True
        if len(touched) > _FEW_CUSTOMERS:
            return False
        with self._brought_in(touched, CUSTOMER_TOTALS, *(table for table in carried.tables if table in IN_LAKE)):
            following = carried.can_follow(self.connection, self.query, changes)
            if following is not None:
                carried.follow(self.connection, self.query, following)
        return following is not None

    def _touched(self) -> Sequence[int]:
        """The hashes of the customers that changed, in order."""
        rows = self.connection.execute("select customer_hash from touched order by all").fetchall()
        return [int(value) for (value,) in rows]

    def _brought_in(self, hashes: Sequence[int], *tables: Contract) -> AbstractContextManager[None]:
        """Meanwhile the rows of these customers stand in the file."""
        return self.engine.brought_in(self.connection, [Part(table, hashes) for table in tables])

    def _prepare(self) -> None:
        for table in (*BOOKKEEPING, *self.query.optional_inputs):
            prepare(self.connection, table)

    def _decide(self, stored: Contract, *, only_changes: bool) -> Decision:
        files = made_by(stored, self.query, self.incremental)
        return decide(
            self.connection,
            self.contract,
            stored,
            self.incremental,
            files,
            self.query.parameters,
            only_changes=only_changes,
        )

    def _make(self) -> None:
        """Make the rows of all customers, share by share."""
        work = work_on(
            self.connection,
            self.contract,
            self.query,
            self.incremental,
            timezone=self.engine.warehouse.naive_timezone,
        )
        heads = read_heads(self.connection)
        ((orders,),) = self.connection.execute("select count(*) from silver.orders").fetchall()
        with lake_of(self.engine.spark) as lake:
            division = by_customer(number_of_shares(orders))
            rows = {table: lake.rows(table, heads[table.full_name]) for table in work.read}
            for raw in (table for table in work.read if table.full_name == RAW_ORDERS.full_name):
                rows[raw] = rows[raw].join(self._sought(lake, heads, division), [*RECORD_KEY])
            made = make_by_shares(rows, division, work)
            if len(work.targets) > 1:
                made = made.persist()
            for target in work.targets:
                if target in IN_LAKE:
                    lake.settle(target, heads[target.full_name])
                    move_head(self.connection, target, lake.replace(target, rows_of_target(made, target)))
                else:
                    self._add_up(rows_of_target(made, target).toArrow())
            made.unpersist()

    def _sought(self, lake: Lake, heads: Mapping[str, Head], division: Division) -> "DataFrame":
        """The places of the records that say something of customers, and of which."""
        work = work_to_seek(self.incremental, timezone=self.engine.warehouse.naive_timezone)
        orders = {table: lake.rows(table, heads[table.full_name]) for table in work.read}
        return rows_of_target(make_by_shares(orders, division, work), work.targets[0]).distinct()

    def _add_up(self, flows: object) -> None:
        """Store the flows of all shares, which are sums."""
        delete_slice(self.connection, SEGMENT_FLOWS, None)
        run_steps(self.connection, ["gold/tmp_clock"], self.query.parameters)
        self.connection.register("flows_of_shares", flows)
        self.connection.execute("create or replace temp table added as from flows_of_shares")
        self.connection.unregister("flows_of_shares")
        add_to_flows(self.connection, "true")


def _said_of(plan: BatchPlan) -> Mapping[str, str]:
    """The properties of the commit of a batch's records: its key, and from where to where it goes in each partition."""
    ranges = {partition: [span.start, span.end] for partition, span in sorted(plan.ranges.items())}
    return {_BATCH: plan.batch_key, _TOPIC: plan.topic_id, _OFFSETS: json.dumps(ranges)}


def _records_of(connection: duckdb.DuckDBPyConnection, batch_key: str) -> int:
    """The number of records of a batch, by the ledger."""
    sql = f"select coalesce(sum(records), 0)::bigint from {RAW_BATCHES.full_name} where {BATCH_COLUMN} = ?"
    ((records,),) = connection.execute(sql, [batch_key]).fetchall()
    return int(records)


def _begins(connection: duckdb.DuckDBPyConnection) -> bool:
    """True where no large table stands yet, neither in the file nor in the lake."""
    return not standing_tables(connection) & _LAKE.keys()


def tidy(engine: Engine, keep: timedelta) -> Mapping[str, int]:
    """Merge small files of the lake and delete what was needed longer ago than is to be kept; how many, by table.

    Raises WarehouseMissing, SparkFailed, BridgeCartError without Spark.
    """
    if not isinstance(engine, SparkEngine):
        raise BridgeCartError("There is no lake to tidy: BRIDGECART_ENGINE is duckdb.")
    engine.warehouse.require()
    return engine.tidy(datetime.now(UTC) - keep)


def claim_lake(warehouse: Warehouse) -> None:
    """Note once and for all by which id the tables of the lake are known as this warehouse's.

    By a transaction of its own: what a later one leaves in the lake when it is killed has the id already.
    """
    if warehouse.exists:
        with warehouse.reading() as connection:
            if columns_of(connection, LAKE_OWNER) is not None:
                return
    with warehouse.transaction() as connection:
        prepare(connection, LAKE_OWNER)
        connection.execute(f"insert into {LAKE_OWNER.full_name} select gen_random_uuid()")


def move_into_lake(connection: duckdb.DuckDBPyConnection, spark: Spark) -> None:
    """Put the rows of the large tables that stand in the file into the lake, which it has claimed; they become views.

    Raises SparkFailed, also where others have tables of these names there.
    """
    owner = owner_of_lake(connection)
    with lake_of(spark) as lake:
        for table in IN_LAKE:
            lake.create(table, owner)
            with lake.staged(connection, table) as rows:
                head = lake.replace(table, rows)
            connection.execute(f"drop table {table.full_name}")
            move_head(connection, table, head)
