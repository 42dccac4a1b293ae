"""An import: the rows of files through the job that takes in batches of the topic, then the refresh.

Each batch is fixed by the ledger, as one of the topic is: the rows of a file that stand are not read again, and an
import that was killed goes on where the ledger ends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.run_pipeline import (
    INGEST,
    Progress,
    Summary,
    refresh,
    register_batch,
    settle_unfinished_runs,
    take_in,
)
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.sources.files.history_file import HistoryFile, open_history
from bridgecart_assets.sources.files.reading import PARTITION
from bridgecart_assets.warehouse.ingest.imports import give_mapping, other_contents
from bridgecart_assets.warehouse.ingest.ledger import load_ledger, load_position

if TYPE_CHECKING:
    import dagster as dg

    from bridgecart_assets.sources.mapping.mapping_file import Mapping

Counted = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Imported:
    """Result for one file: its rows, those that stood before, and the batches of these that were read again.

    `others` are rows of files that had the same name and another content.
    """

    file: str
    sha256: str
    rows: int
    before: int
    batches_read_again: int
    others: int

    def says(self) -> str:
        """In words."""
        new = self.rows - self.before
        if not self.before:
            says = f"{self.file}: {self.rows:,} rows imported."
        elif not new:
            says = f"{self.file}: nothing to import, all {self.rows:,} rows stood already."
        else:
            says = f"{self.file}: {new:,} rows imported; {self.before:,} stood already."
        if self.batches_read_again:
            says += f" They were read again by this mapping, in {self.batches_read_again} batch(es)."
        return says

    @property
    def warning(self) -> str | None:
        """The meaning of rows of other contents; None without any."""
        if not self.others:
            return None
        return (
            f"{self.file} was imported before with other content ({self.others:,} rows); its orders stay, and count "
            "where this file does not say otherwise: `bridgecart withdraw` takes back what should not count."
        )


def load_mapping_of_rows(path: Path) -> "Mapping":
    """The mapping of a file for rows, which are JSON. Raises MappingError."""
    from bridgecart_assets.sources.mapping.errors import MappingError
    from bridgecart_assets.sources.mapping.mapping_file import load_mapping

    mapping = load_mapping(path)
    if mapping.decode.value != "json":
        raise MappingError(
            f'{path.name} [decode] value: rows of a file are JSON and come without a registry; leave "value" out'
        )
    return mapping


def import_files(
    settings: Settings,
    paths: Sequence[Path],
    *,
    mapping: str | None,
    progress: Progress,
    counted: Counted,
    summary: Summary,
) -> list[Imported]:
    """Take in the rows of the files that do not stand yet, then refresh; `mapping` is the text of one.

    Every file is looked at as a whole before a row of any is written. `summary` is filled on the way.
    Raises FileRefused, RunFailed at the first failed run, AlreadyRunning when another command works on the data
    directory.
    """
    from bridgecart_assets.orchestration.instance import dagster_instance, prepare_home
    from bridgecart_assets.orchestration.pruning import RUNS_AT_ONCE, prune_or_warn

    files = []
    for path in paths:
        progress(f"looking at {path.name}")
        files.append(open_history(path.absolute()))
    prepare_home(settings)
    with run_lock(settings.data_dir), dagster_instance(settings) as instance:
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        importing = Importing(instance, Platform(), mapping, summary, counted)
        importing.finish_open_batches()
        imported = [importing.take_in(file) for file in files]
        progress("customers, segments and KPIs")
        refresh(instance, summary)
        prune_or_warn(instance, settings, progress, runs=len(summary.batches) + RUNS_AT_ONCE)
    return imported


@dataclass(frozen=True)
class Importing:
    """Imports by a caller that holds the run lock; `mapping` is the text of one, `summary` is filled on the way."""

    instance: "dg.DagsterInstance"
    platform: Platform
    mapping: str | None
    summary: Summary
    counted: Counted

    def finish_open_batches(self) -> None:
        """Make silver of batches that stand in raw alone: their runs were killed, and the topic is not needed."""
        from bridgecart_assets.orchestration.batch_status import open_batch

        while (unfinished := open_batch(self.instance, self.platform.warehouse)) is not None:
            if unfinished.key not in load_ledger(self.platform.warehouse, only=unfinished.key).plans:
                return
            self._make_silver(unfinished.key)

    def take_in(self, file: HistoryFile) -> Imported:
        """Take in the rows of a file that do not stand yet, batch by batch."""
        rows, before = file.rows.count, self._rows_of(file)
        again = give_mapping(self.platform.warehouse, file.topic_id, self.mapping) if before else []
        for key in again:
            self._make_silver(key)
        while (done := self._rows_of(file)) < rows:
            self.counted(done, rows, f"importing {file.name}")
            file.require_unchanged()
            take_in(self.instance, self._next_key(), self.summary, run_config=source(file, self.mapping))
        self.counted(rows, rows, f"importing {file.name}")
        others = other_contents(self.platform.warehouse, file.name, file.topic_id)
        return Imported(file.name, file.sha256, rows, before, len(again), others)

    def _rows_of(self, file: HistoryFile) -> int:
        return load_position(self.platform.warehouse).committed(file.topic_id).get(PARTITION, 0)

    def _next_key(self) -> str:
        """The key of a batch that never came to hold a record, else a new one."""
        from bridgecart_assets.orchestration.batch_status import open_batch

        unfinished = open_batch(self.instance, self.platform.warehouse)
        return register_batch(self.instance, self.platform) if unfinished is None else unfinished.key

    def _make_silver(self, key: str) -> None:
        from bridgecart_assets.orchestration.jobs import AFTER_RAW
        from bridgecart_assets.orchestration.partitions import BATCHES

        if not self.instance.has_dynamic_partition(str(BATCHES.name), key):
            self.instance.add_dynamic_partitions(str(BATCHES.name), [key])
        take_in(self.instance, key, self.summary, selection=AFTER_RAW[INGEST])


def source(file: HistoryFile, mapping: str | None) -> dict[str, Any]:
    """Run configuration of a batch of the file."""
    config = {"file": str(file.path), **({} if mapping is None else {"mapping": mapping})}
    return {"ops": {"raw_batch": {"config": config}}}
