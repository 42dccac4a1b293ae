"""A dry run: some records through the product's own raw and silver, in a warehouse that is gone afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.inspect.examples import Examples
from bridgecart_assets.commands.inspect.records import BATCH_KEY, Slice, first_of_file, newest_of_topic, source_of
from bridgecart_assets.sources.mapping.mapping_file import Mapping as MappingFile
from bridgecart_assets.sources.mapping.mapping_file import load_mapping
from bridgecart_assets.sources.registry import schema_source
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.schemas import stored_schemas
from bridgecart_assets.warehouse.remap import make_silver
from bridgecart_assets.warehouse.storage.database import Warehouse, plain, rows_of

_EXAMPLES = 3

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rejection:
    """A reason, the records that were rejected for it, and a few of them, masked."""

    reason: str
    records: int
    examples: Sequence[str]


@dataclass(frozen=True)
class DryRun:
    """The outcome: whence the records came, how many became what, why some were rejected, sales by month."""

    source: str
    events: Mapping[str, int]
    rejections: Sequence[Rejection]
    months: Sequence[Row]

    @property
    def reject_share(self) -> float:
        """The share of records that were rejected."""
        return self.events["rejected"] / self.events["records"] if self.events["records"] else 0.0

    def to_json(self) -> dict[str, object]:
        """The outcome in plain JSON types."""
        months = [{name: plain(value) for name, value in month.items()} for month in self.months]
        return {**asdict(self), "months": months, "reject_share": round(self.reject_share, 4)}


def dry_run(path: Path, file: Path | None, records: int, settings: Settings) -> DryRun:
    """Read records of the topic, or of a file, by the mapping in `path` as a run would, and leave nothing behind.

    Raises MappingError, and what reading the records raises.
    """
    mapping = load_mapping(path)
    settings = settings.model_copy(update={"mapping": path})
    asked = _asked(mapping, file, records, settings)
    with _temporary_warehouse(settings) as warehouse:
        # Whichever engine the shop has: these are few records.
        engine = DuckDBEngine(warehouse)
        engine.write_slice(asked)
        make_silver(engine, settings, BATCH_KEY)
        with warehouse.reading() as connection:
            return _outcome(connection, source_of(asked), settings, mapping.order)


def _asked(mapping: MappingFile, file: Path | None, records: int, settings: Settings) -> Slice:
    if file is not None:
        return first_of_file(file, settings, records, mapping.text)
    schemas = schema_source(settings, mapping.decode)
    return replace(newest_of_topic(settings, records), mapping=mapping.text, schemas=schemas)


@contextmanager
def _temporary_warehouse(settings: Settings) -> Iterator[Warehouse]:
    with TemporaryDirectory(prefix="bridgecart-inspect-") as folder:
        yield warehouse_from_settings(settings.model_copy(update={"data_dir": Path(folder)}))


def _outcome(
    connection: duckdb.DuckDBPyConnection, source: str, settings: Settings, fields: Mapping[str, str]
) -> DryRun:
    (events,) = _rows(connection, "inspect/events")
    rejects = _rows(connection, "inspect/rejects", examples=_EXAMPLES)
    examples = Examples(fields, settings.max_payload_bytes, stored_schemas(connection))
    rejections = [
        _rejection(reason, list(rows), examples) for reason, rows in groupby(rejects, key=itemgetter("reason"))
    ]
    return DryRun(source, events, rejections, _rows(connection, "inspect/months"))


def _rejection(reason: str, rows: Sequence[Row], examples: Examples) -> Rejection:
    return Rejection(reason, rows[0]["records"], [examples.of(reason, row) for row in rows])


def _rows(connection: duckdb.DuckDBPyConnection, file: str, **parameters: int) -> list[Row]:
    names, rows = rows_of(connection, read_sql(file), parameters)
    return [dict(zip(names, row, strict=True)) for row in rows]
