"""Outputs of an asset for the IO manager: the rows it wants stored, described rather than computed.

A pandas DataFrame is the other kind, for small tables. Slices of a topic or file are described here too; the asset
itself reads and writes them. What belongs elsewhere: how rows are written (`tables.py`).
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Protocol

from bridgecart_assets.contracts import Contract
from bridgecart_assets.sources.files.history_file import HistoryFile
from bridgecart_assets.sources.kafka.connection import KafkaConnection
from bridgecart_assets.sources.kafka.continuity import NOTHING_KNOWN, KnownTopics, LastRecord
from bridgecart_assets.sources.kafka.offsets import BatchPlan

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    from bridgecart_assets.sources.registry import SchemaSource

Parameter = str | int | float | bool | list[str] | None


@dataclass(frozen=True)
class Table:
    """A reference to a stored table, `schema.name`.

    As an input it loads nothing; as an output it says that the asset has written its table itself.
    """

    name: str


@dataclass(frozen=True)
class Computed:
    """A temporary table `name` that SQL has no formula for: `function` of the rows of `sql/<file>.sql`."""

    file: str
    name: str
    function: "Callable[[pd.DataFrame], pd.DataFrame]"


@dataclass(frozen=True)
class Read:
    """As `Computed`, of rows and into rows in Arrow's columns: bytes, lists and exact decimals stay what they are."""

    file: str
    name: str
    function: "Callable[[pa.RecordBatchReader], pa.Table]"


@dataclass(frozen=True)
class Incremental:
    """A table of customers brought up to date: only the rows of customers that changed are rebuilt.

    Attributes:
        scoped: inputs that the SQL reads as `scoped_<table>`: everything, or the rows of changed customers.
        state: SQL files; when one says something else than the last time, everything is rebuilt.
        is_dated: whether the rows are as of the clock's date; with another date everything is rebuilt.
        carried: the SQL file of the rows of customers in time, to whose totals changes are added; rebuilt are only
            those whose hash is put into `late`. Of a dated table it also takes in what a later date lets in.
        narrowed: the SQL file that gives `narrowed_<table>` of each input where only some customers changed: what the
            same SQL makes their rows of, and no more.
        replaced: the table that keeps the rows which were replaced, as they were, for those that follow this one.
        sought: the SQL file that looks for records of raw, which the files after it read: of everybody once.

    """

    scoped: tuple[Contract, ...]
    state: tuple[str, ...] = ()
    is_dated: bool = False
    carried: str = ""
    narrowed: str = ""
    replaced: Contract | None = None
    sought: str = ""


@dataclass(frozen=True)
class Changes:
    """Orders that came or went after one revision and up to another, for tables as of the date `was`."""

    after: int
    revision: int
    was: date | None


@dataclass(frozen=True)
class Following:
    """The way from what tables say to what they say once they have taken in what came and went.

    Attributes:
        changes: what came and went.
        opening: of the period that was open when the tables were written.
        is_same_date: whether they are as of the same date afterwards.

    """

    changes: Changes
    opening: date
    is_same_date: bool

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Parameters of the SQL files: the changes that they follow."""
        span = {"after": self.changes.after, "revision": self.changes.revision}
        return {**span, "opening": self.opening.isoformat()}


@dataclass(frozen=True)
class Carried:
    """Tables of customers, and of sums over them, that are carried on by what came and went.

    Attributes:
        tables: the tables; none for a view of what others write.
        files: the SQL files that make their rows.
        make: makes all of their rows.
        can_follow: reads the changes and writes nothing; None where all rows have to be made, or that is faster.
        follow: takes in the changes, as they have been read.

    """

    tables: "tuple[Contract, ...]"
    files: tuple[str, ...]
    make: "Callable[[duckdb.DuckDBPyConnection, Query], None]"
    can_follow: "Callable[[duckdb.DuckDBPyConnection, Query, Changes], Following | None]"
    follow: "Callable[[duckdb.DuckDBPyConnection, Query, Following], None]"


@dataclass(frozen=True)
class Query:
    """Rows that DuckDB computes: `sql/<schema>/<table>.sql`, after the files that it needs, parameters bound.

    Attributes:
        parameters: values for the `$name` parameters of the files; a file takes those it names.
        computed: steps that SQL has no formula for.
        inputs: tables that must exist before the transaction begins.
        co_outputs: further tables written after the same steps, in the same transaction.
        optional_inputs: tables that are read but are no assets; made empty where they are missing.
        afterwards: SQL files that run when the tables are written, on the rows as they are stored.
        incremental: for a table of customers, how it can be brought up to date without making all of it.
        stored_in: the table that holds the facts of an asset which is a view, and whose rows the files make.
        carried: the tables behind an asset that is a view, where they are carried on and not made anew of customers.

    """

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    computed: tuple[Computed | Read, ...] = ()
    inputs: tuple[Table, ...] = ()
    co_outputs: tuple[str, ...] = ()
    optional_inputs: tuple[Contract, ...] = ()
    afterwards: tuple[str, ...] = ()
    incremental: Incremental | None = None
    stored_in: Contract | None = None
    carried: Carried | None = None


@dataclass(frozen=True)
class Sample:
    """Rows that come out of the warehouse: `sql/<file>.sql` after the files that it needs, parameters bound.

    Where it reads orders as `scoped_orders`, they are those of about `most_customers` customers, chosen by hash.
    """

    file: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    most_customers: int | None = None


@dataclass(frozen=True)
class KafkaSlice:
    """The records of a topic between fixed offsets, streamed into `raw.orders` together with the ledger row.

    `topic_ends` are the ends of the topic's partitions when the plan was made; `known` is what the ledger knew of it.
    `mapping` is the text of the mapping that reads the records, None where they are BridgeCart's own events.
    `schemas` says where the schemas of the records come from, if they need any.
    """

    connection: KafkaConnection
    plan: BatchPlan
    cluster_id: str | None
    stall_seconds: float
    max_bytes: int | None = None
    topic_ends: Mapping[int, int] = field(default_factory=dict)
    known: KnownTopics = field(default_factory=lambda: NOTHING_KNOWN)
    mapping: str | None = None
    schemas: "SchemaSource | None" = None


@dataclass(frozen=True)
class FileSlice:
    """The rows of a file between fixed numbers, for `raw.orders` as those of a topic; `mapping` says how they are read.

    `mapping` is the text of a mapping, None where they are BridgeCart's own events.
    """

    file: HistoryFile
    plan: BatchPlan
    mapping: str | None = None
    max_bytes: int | None = None


class RecordStream(Protocol):
    """The records of a plan while they are read.

    At the end, `covered` is the plan as far as it was read, and `last_records` are the last ones of each partition of
    a topic.
    """

    covered: BatchPlan
    last_records: dict[int, LastRecord]

    def ahead(self) -> "Generator[pa.RecordBatch, None, None]":
        """The records in chunks."""


@dataclass(frozen=True)
class CoWritten:
    """A reference to the table of another output of the same asset, in whose transaction this one was written."""

    table: str
