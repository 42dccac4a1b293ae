"""The resource through which assets, checks and sensors reach the settings, the warehouse and the broker."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Self

import dagster as dg
import pandas as pd

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.contracts import Contract
from bridgecart_assets.orchestration.run_limit import ended_in_time
from bridgecart_assets.sources.files.history_file import open_history
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.warehouse.from_settings import engine_from_settings
from bridgecart_assets.warehouse.ingest.planning import plan_file_slice, plan_slice
from bridgecart_assets.warehouse.mapped_records import NO_READERS, BatchReaders, readers_on_record
from bridgecart_assets.warehouse.outbox import announce
from bridgecart_assets.warehouse.sampling import read_sample
from bridgecart_assets.warehouse.spark_engine import tidy
from bridgecart_assets.warehouse.storage.database import Warehouse, rows_of, table_exists
from bridgecart_assets.warehouse.storage.engine import Engine
from bridgecart_assets.warehouse.storage.outputs import FileSlice, KafkaSlice, Parameter, Sample


class RefreshMode(Enum):
    """Tables of customers in a run: only the rows of customers that changed, or every row rebuilt."""

    CHANGES = "changes"
    EVERYTHING = "everything"


class Platform(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Reads the settings when it is used, so that importing the definitions touches nothing.

    `refresh` is configuration of a run. Without it, as when a person materializes an asset because a check asks for
    it, everything is rebuilt.
    """

    refresh: RefreshMode = RefreshMode.EVERYTHING

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """For a run or a tick, in whatever process; a run ends in time, and reads the warehouse as it stands open."""
        with ExitStack() as stack:
            if context.run is not None:
                stack.enter_context(ended_in_time(self.settings.max_run_minutes, context.run.tags))
                stack.enter_context(self.warehouse.kept_open())
            yield self

    @property
    def only_changes(self) -> bool:
        """True if this run rebuilds only the rows of customers that changed."""
        return self.refresh is RefreshMode.CHANGES

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        return load_settings()

    @property
    def warehouse(self) -> Warehouse:
        """The DuckDB warehouse."""
        return self.engine.warehouse

    @property
    def engine(self) -> Engine:
        """The engine that makes the rows of tables and keeps them."""
        return engine_from_settings(self.settings)

    @property
    def kafka(self) -> KafkaConnection:
        """The broker and topic. Raises NoBroker."""
        return kafka_connection(self.settings)

    def ingest(self, batch_key: str) -> KafkaSlice:
        """Read a batch from the topic into the warehouse, its records and its ledger row in one transaction.

        Returns the slice as it was planned. Raises what planning raises (`plan_slice`) and what reading and writing
        do (`Engine.write_slice`); then nothing was written.
        """
        engine = self.engine
        planned = plan_slice(engine.warehouse, self.kafka, self.settings, batch_key)
        engine.write_slice(planned)
        return planned

    def ingest_file(self, batch_key: str, path: Path, mapping: str | None) -> FileSlice:
        """Read a batch from a file into the warehouse, as `ingest` does from the topic; `mapping` is of new rows.

        Raises FileRefused, and what planning and writing do (`plan_file_slice`, `Engine.write_slice`).
        """
        engine = self.engine
        planned = plan_file_slice(engine.warehouse, open_history(path), self.settings, batch_key, mapping)
        engine.write_slice(planned)
        return planned

    def announce_segments(self) -> int:
        """Send changes of segments and lifecycles to their topic; how many.

        Raises NoBroker, NothingToAnnounce, KafkaFailure.
        """
        settings = self.settings
        connection = replace(self.kafka, topic=settings.segment_changes_topic)
        return announce(self.warehouse, connection, f"{settings.kafka_group}.segment-changes")

    def tidy_lake(self, keep: timedelta) -> Mapping[str, int]:
        """Tidy the lake, whose newest files stay; how many were deleted, by table.

        Raises WarehouseMissing, SparkFailed, BridgeCartError without Spark.
        """
        return tidy(self.engine, keep)

    def readers_on_record(self) -> BatchReaders:
        """Of the batches that silver has read by a mapping."""
        if not self.warehouse.exists:
            return NO_READERS
        with self.warehouse.reading() as connection:
            return readers_on_record(connection)

    def read_frame(self, contract: Contract) -> pd.DataFrame:
        """A stored table as it is now; an empty frame with its columns when it does not exist yet."""
        warehouse = self.warehouse
        if warehouse.exists:
            with warehouse.reading() as connection:
                if table_exists(connection, contract):
                    frame: pd.DataFrame = connection.sql(f"select * from {contract.full_name}").df()
                    return frame
        return pd.DataFrame(columns=list(contract.column_names))

    def sample(self, sample: Sample) -> pd.DataFrame:
        """The rows of a sample: few enough for memory."""
        with self.warehouse.reading() as connection:
            return read_sample(connection, sample)

    def query(self, sql: str, parameters: dict[str, Parameter]) -> tuple[Sequence[str], list[tuple[object, ...]]]:
        """Column names and rows of a read-only query that gives few rows."""
        with self.warehouse.reading() as connection:
            return rows_of(connection, sql, parameters)
