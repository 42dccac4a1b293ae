"""Opening the DuckDB file: one writer, bounded waiting for the lock, one transaction at a time.

What belongs elsewhere: what is written (`tables.py`) and Dagster (`orchestration/`).
"""

import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import duckdb
from filelock import FileLock, Timeout

from bridgecart_assets.base.errors import WRITABLE, BridgeCartError
from bridgecart_assets.base.quoting import sql_name, sql_text
from bridgecart_assets.contracts import Contract
from bridgecart_assets.processes.memory import bound, default_limit, too_little
from bridgecart_assets.warehouse.storage.duckdb_instance import Attached, Options
from bridgecart_assets.warehouse.storage.forgotten_list import ForgottenList
from bridgecart_assets.warehouse.storage.migrations import bring_up_to_date, has_known_layout, is_empty

if TYPE_CHECKING:
    from bridgecart_assets.warehouse.storage.outputs import Parameter

POLL_SECONDS = 0.05
# Another process may write and be killed between two looks of ours, but not time and again.
_LOOKS = 5
_HOLDER = re.compile(r"lock is held in (?P<holder>.*?\bPID \d+\)?)")
_DISK_FULL = re.compile(
    r"no space left(?: on device)?|quota exceeded|file too large|max_temp_directory_size", re.IGNORECASE
)
_FORBIDDEN = re.compile(r"permission denied|read-only file system|operation not permitted", re.IGNORECASE)
_SYSTEM = re.compile(f"{_DISK_FULL.pattern}|{_FORBIDDEN.pattern}|no such file or directory", re.IGNORECASE)
_LAKE_FILE = re.compile(r"/\S+\.parquet\b")
_UNUSABLE = (duckdb.IOException, duckdb.SerializationException, duckdb.FatalException)


class WarehouseError(BridgeCartError):
    """The warehouse cannot be used; says why and what to do."""


class WarehouseUnusable(WarehouseError):
    """The file is damaged, or none of DuckDB's; `reason` says how."""

    is_mended_by_topic = True

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"The warehouse {path} cannot be used ({reason}): restore it from a backup (`bridgecart restore`), or move "
            "it away and run `bridgecart run` to build it again from the topic."
        )
        self.reason = reason


class DuckDBFailed(WarehouseError):
    """DuckDB found something in itself that cannot be; `reason` says what. A damaged file may lead to it too."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"DuckDB itself failed on {path} ({reason}): nothing was written, run again. If it fails again, "
            "`bridgecart doctor --deep` says whether the file is damaged; if it is not, report this line with the log."
        )
        self.reason = reason


class WarehouseLocked(WarehouseError):
    """Another process holds the file for longer than the deadline."""


class WarehouseMissing(WarehouseError):
    """There is no warehouse file, or not the table that was asked for."""


Change = Callable[[duckdb.DuckDBPyConnection], object]


@dataclass
class _KeptOpen:
    """A file that is left open by one reader for the next; nothing before the first, and after a write.

    Its layout is asked for once while it is open: nobody writes meanwhile. `changes` wait for the next write.
    """

    attached: Attached | None = None
    has_known_layout: bool = False
    changes: list[Change] = field(default_factory=list)

    def close(self) -> None:
        """Close the file; the next reader opens it."""
        attached, self.attached, self.has_known_layout = self.attached, None, False
        if attached is not None:
            attached.close()


_kept_open: dict[Path, _KeptOpen] = {}


@dataclass(frozen=True)
class Warehouse:
    """The DuckDB file and how it is opened: for each use, or by `kept_open` for what is read between two writes.

    `forget_again` erases the customers on the list beside the file whom the file still has; without it the list is
    not looked at.
    """

    path: Path
    lock_timeout_seconds: float = 60.0
    memory_limit: str = field(default_factory=default_limit)
    naive_timezone: str = "UTC"
    forget_again: Callable[["Warehouse", ForgottenList], None] | None = None

    @property
    def exists(self) -> bool:
        """True if the file is there. Raises WarehouseError when its folder cannot be searched."""
        try:
            return self.path.exists()
        except OSError as error:
            raise _unwritable(self.path.parent, error.strerror) from error

    def require(self) -> None:
        """Raise WarehouseMissing when the file is not there."""
        if not self.exists:
            raise WarehouseMissing(f"There is no warehouse at {self.path} yet: run `bridgecart run` first.")

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Meanwhile a reader leaves the file open for the next one in this process, until one of them writes.

        Opening takes longer than most of a run's looks, and what was read once is still in memory. Other processes
        can read all the time, and write as soon as this one does, or at the end. What is to be changed `soon` is.
        """
        if self.path in _kept_open:
            yield
            return
        kept = _kept_open[self.path] = _KeptOpen()
        try:
            yield
            if kept.changes:
                with self.transaction():
                    pass
        finally:
            del _kept_open[self.path]
            kept.close()

    def soon(self, change: Change) -> None:
        """Make a change with the next write of this process: while the file is kept open that can wait, else now.

        Lost where the process dies first, or the block raises that keeps it open.
        """
        kept = _kept_open.get(self.path)
        if kept is not None:
            kept.changes.append(change)
            return
        with self.transaction() as connection:
            change(connection)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection, closed at the end; a file of an older version is brought up to date first.

        So is one that has customers who are on the list of the forgotten beside it. Raises WarehouseMissing when there
        is no file, WarehouseTooNew, ForgottenListUnusable.
        """
        self.require()
        with self._explaining(), ExitStack() as stack:
            connection = stack.enter_context(self._open(read_only=True))
            if not self._is_readable(connection):
                stack.close()
                with self.transaction():
                    pass
                connection = stack.enter_context(self._open(read_only=True))
            known = self._list_to_follow(connection)
            if known is not None:
                stack.close()
                self._erase(known)
                connection = stack.enter_context(self._open(read_only=True))
            yield connection

    def _is_readable(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """True unless the file was written by an older version. Raises WarehouseTooNew."""
        kept = _kept_open.get(self.path)
        if kept is not None and kept.has_known_layout:
            return True
        is_known = has_known_layout(connection, self.path)
        if kept is not None:
            kept.has_known_layout = is_known
        return is_known or is_empty(connection)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One read-write transaction: committed at the end, rolled back on any exception, always closed.

        Customers on the list of the forgotten are erased before. Raises WarehouseTooNew, ForgottenListUnusable.
        """
        _make_folder(self.path.parent)
        with self._explaining(), ExitStack() as stack:
            connection = stack.enter_context(self._open(read_only=False))
            if not has_known_layout(connection, self.path):
                bring_up_to_date(connection)
            known = self._list_to_follow(connection, or_to_begin=True)
            if known is not None:
                stack.close()
                self._erase(known)
                connection = stack.enter_context(self._open(read_only=False))
            connection.execute("begin transaction")
            kept = _kept_open.get(self.path, _KeptOpen())
            try:
                for change in kept.changes:
                    change(connection)
                yield connection
                connection.execute("commit")
            except BaseException:
                _roll_back(connection)
                raise
            kept.changes.clear()

    def _list_to_follow(
        self, connection: duckdb.DuckDBPyConnection, *, or_to_begin: bool = False
    ) -> ForgottenList | None:
        """The list of forgotten customers beside the file, unless the file says the same.

        With `or_to_begin` an empty one where the file has forgotten customers and no list is there yet.
        """
        if self.forget_again is None:
            return None
        known = ForgottenList.beside(self.path)
        if known is not None:
            return None if known == ForgottenList.stored(connection) else known
        begins = or_to_begin and ForgottenList.stored(connection).customers
        return ForgottenList() if begins else None

    def _erase(self, known: ForgottenList) -> None:
        if self.forget_again is not None:
            self.forget_again(replace(self, forget_again=None), known)

    def rewrite(self) -> None:
        """Put a new file with the same rows in the place of the old one.

        DuckDB marks rows as deleted and blocks as free; what they said stays in the file until it is written over.
        Raises WarehouseError when the new file cannot be written; the old one stays.
        """
        target = self.path.resolve()
        fresh = target.with_suffix(".rewritten")
        _remove_database(fresh)
        # Open until the new file is in its place, so that nobody writes to the old one any more.
        with self._explaining(), self._open(read_only=False, preserve_insertion_order=True) as connection:
            connection.execute("checkpoint")
            try:
                _copy_database(connection, fresh)
                shutil.copymode(target, fresh)
                fresh.replace(target)
            except (OSError, duckdb.IOException) as error:
                raise WarehouseError(
                    f"Cannot write {fresh} ({reason_of(error)}): make room for a second warehouse file and "
                    "run again; until then deleted rows are still in the first."
                ) from error
            finally:
                _remove_database(fresh)

    @contextmanager
    def replaced(self) -> Iterator["Warehouse"]:
        """A copy of the warehouse to work on, which takes the place of the file at the end, unless the work raises.

        Meanwhile others read the old file, and wait to write. Raises WarehouseMissing, WarehouseError.
        """
        with self.copied() as copy:
            yield copy
            shutil.copymode(self.path, copy.path)
            copy.path.replace(self.path.resolve())

    @contextmanager
    def copied(self) -> Iterator["Warehouse"]:
        """A copy of the warehouse to work on, which is gone at the end.

        Meanwhile others read the file itself, and wait to write. Raises WarehouseMissing, WarehouseError.
        """
        with self.transaction():
            # What a killed process left in the log goes to the file: a log must not outlive its file.
            pass
        copy = replace(self, path=self.path.resolve().with_suffix(".rewritten"), forget_again=None)
        _remove_database(copy.path)
        with self.reading() as connection:
            try:
                # Rows of a batch are found without reading those of others.
                connection.execute("set preserve_insertion_order = true")
                _copy_database(connection, copy.path)
                connection.execute("set preserve_insertion_order = false")
                yield copy
            finally:
                _remove_database(copy.path)

    @contextmanager
    def standing_still(self) -> Iterator[BinaryIO]:
        """The open file with everything committed in it, which nobody writes to meanwhile; others may read it.

        Raises WarehouseMissing, WarehouseLocked, WarehouseError.
        """
        self.require()
        for _ in range(_LOOKS):
            with self.transaction():
                # What a killed process left in the log goes to the file.
                pass
            # Whoever closes a file gives up the locks that its process has on it, DuckDB's too: closed last.
            with self.path.open("rb") as file, self.reading():
                if self._is_settled(file):
                    yield file
                    return
        raise WarehouseError(
            f"The log of {self.path} does not go to the file: free some space on its disk and run again."
        )

    def _is_settled(self, file: BinaryIO) -> bool:
        """False where another process wrote a log, or another file, between two looks of ours."""
        return not self._log.exists() and os.path.samestat(os.fstat(file.fileno()), self.path.stat())

    @property
    def _log(self) -> Path:
        target = self.path.resolve()
        return target.with_name(f"{target.name}.wal")

    def give_way_to(self, file: Path) -> None:
        """Put another file in the place of this one, whose log is of no use any more. Raises WarehouseLocked."""
        gate = self._gate()
        try:
            with gate.acquire(timeout=self.lock_timeout_seconds):
                self._log.unlink(missing_ok=True)
                file.replace(self.path.resolve())
        except Timeout:
            raise WarehouseLocked(
                f"The warehouse {self.path} is being written: wait for it, or stop it, and try again."
            ) from None

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Errors that a person can do something about are raised as such; mistakes in SQL stay what they are."""
        try:
            yield
        except duckdb.Error as error:
            explained = explain(error, self.path, self.memory_limit)
            if explained is None:
                raise
            raise explained from error

    @contextmanager
    def _open(self, *, read_only: bool, preserve_insertion_order: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection, closed at the end.

        DuckDB reads where the newest state stands *before* it locks the file: whoever opens it while another process
        commits and closes would go on from the state before, and write over that commit. So a lock of our own is held
        while the file is opened, and by a writer until it has closed it.
        """
        gate = self._gate()
        options: Options = {**self._options(), "preserve_insertion_order": preserve_insertion_order}
        kept = _kept_open.get(self.path)
        if kept is not None and read_only:
            with self._kept_connection(kept, gate, options) as connection:
                yield connection
            return
        if kept is not None:
            kept.close()
        try:
            with closing(self._attach(gate, options, read_only=read_only)) as attached:
                if read_only:
                    gate.release()
                self._set_timezone(attached.connection)
                yield attached.connection
        finally:
            gate.release()

    @contextmanager
    def _kept_connection(
        self, kept: _KeptOpen, gate: FileLock, options: Options
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        if kept.attached is not None and kept.attached.instance.options != options:
            kept.close()
        try:
            if kept.attached is None:
                kept.attached = self._attach(gate, options, read_only=True)
                gate.release()
            with closing(kept.attached.another_connection()) as connection:
                self._set_timezone(connection)
                yield connection
        except BaseException:
            # Some errors leave nothing that could be read further.
            kept.close()
            raise
        finally:
            gate.release()

    def _set_timezone(self, connection: duckdb.DuckDBPyConnection) -> None:
        # Not possible as a connect option. Names are validated by the settings.
        connection.execute(f"set TimeZone = '{self.naive_timezone}'")

    def _gate(self) -> FileLock:
        file = self.path.with_name(f"{self.path.name}.lock")
        try:
            # Here, because a lock waits for a folder to become writable.
            file.touch()
        except OSError as error:
            raise _unwritable(self.path.parent, error.strerror) from error
        return FileLock(file)

    def _attach(self, gate: FileLock, options: Options, *, read_only: bool) -> Attached:
        deadline = time.monotonic() + self.lock_timeout_seconds
        while True:
            is_late = time.monotonic() > deadline
            try:
                gate.acquire(timeout=0)
            except Timeout:
                # Past the deadline DuckDB is asked all the same, because it names the holder.
                if is_late:
                    raise self._held_by_a_writer(options) from None
            except OSError as error:
                raise _unwritable(self.path.parent, error.strerror) from error
            else:
                try:
                    return Attached.to(self.path, read_only=read_only, options=options)
                except duckdb.Error as error:
                    gate.release()
                    if is_late or not _is_lock_conflict(error):
                        raise
            # Jitter, so that two waiting processes do not meet at every poll.
            time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311

    def _held_by_a_writer(self, options: Options) -> duckdb.Error:
        try:
            Attached.to(self.path, read_only=True, options=options).close()
        except duckdb.Error as error:
            return error
        return duckdb.IOException("Could not set lock on file: another process is about to write")

    def _options(self) -> Options:
        return {
            "memory_limit": self.memory_limit,
            "temp_directory": str(self.path.with_suffix(".tmp")),
            # The default of 16 MB stalls single commits for about a second; closing checkpoints what is left.
            "checkpoint_threshold": "256MB",
        }


def table_exists(connection: duckdb.DuckDBPyConnection, contract: Contract) -> bool:
    """True if the table stands in the warehouse."""
    return columns_of(connection, contract) is not None


def columns_of(connection: duckdb.DuckDBPyConnection, contract: Contract) -> tuple[str, ...] | None:
    """The columns that the table or view has in the warehouse; None where it is not there."""
    try:
        return tuple(connection.table(contract.full_name).columns)
    except duckdb.CatalogException:
        return None


def standing_tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The full names of the tables and views that stand in the warehouse: of many as soon as of one."""
    rows = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database() "
        "union all "
        "select schema_name || '.' || view_name from duckdb_views() where database_name = current_database()"
    ).fetchall()
    return {str(name) for (name,) in rows}


def rows_of(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: "Mapping[str, Parameter]"
) -> tuple[Sequence[str], list[tuple[object, ...]]]:
    """Column names and rows of one statement; a parameter that it does not name is left out."""
    (statement,) = connection.extract_statements(sql)
    used = {name: parameters[name] for name in sorted(statement.named_parameters)}
    cursor = connection.execute(statement, used)
    return [column[0] for column in cursor.description or ()], cursor.fetchall()


def plain(value: object) -> object:
    """A value of a row in plain JSON types: money as a number, dates and instants as ISO texts."""
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def reason_of(error: OSError | duckdb.Error) -> str:
    """The reason why a file could not be written or read, without the details that DuckDB adds."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error)
    known = _SYSTEM.search(text)
    return known[0] if known else text.splitlines()[0]


def explain(error: duckdb.Error, path: Path, memory_limit: str) -> WarehouseError | None:
    """The error in one line with its remedy; None when it is no failure of the file, the disk or the memory."""
    text = str(error)
    if _is_lock_conflict(error):
        holder = _HOLDER.search(text)
        who = holder["holder"].strip() if holder else "another connection"
        return WarehouseLocked(f"The warehouse {path} is held by {who}: wait for it, or stop it, and try again.")
    if _DISK_FULL.search(text):
        return WarehouseError(f"No space left to write {path}: free some space and run again; nothing was changed.")
    if isinstance(error, duckdb.OutOfMemoryException):
        return WarehouseError(too_little(memory_limit, bound()))
    if isinstance(error, duckdb.IOException) and (_FORBIDDEN.search(text) or not path.exists()):
        return _unwritable(path, text.splitlines()[0])
    if isinstance(error, duckdb.IOException | duckdb.InvalidInputException) and _LAKE_FILE.search(text):
        return WarehouseError(
            f"A file of the lake cannot be read ({text.splitlines()[0]}): put it back from a copy, or move warehouse "
            "and lake away and run `bridgecart run` to build them again from the topic."
        )
    # Whatever is asked after an error of DuckDB itself is refused with its text.
    if isinstance(error, duckdb.InternalException) or "INTERNAL Error" in text:
        return DuckDBFailed(path, text.splitlines()[0])
    # A damaged block is reported by the base class of all errors.
    if isinstance(error, _UNUSABLE) or "Corrupt database file" in text:
        return WarehouseUnusable(path, text.splitlines()[0])
    return None


def _copy_database(connection: duckdb.DuckDBPyConnection, fresh: Path) -> None:
    (row,) = connection.execute("select current_database()").fetchall()
    # Neither statement takes a parameter.
    connection.execute(f"attach {sql_text(str(fresh))} as rewritten")
    connection.execute(f"copy from database {sql_name(str(row[0]))} to rewritten")
    connection.execute("detach rewritten")


def _remove_database(file: Path) -> None:
    for part in (file, *(file.with_name(f"{file.name}.{suffix}") for suffix in ("wal", "lock"))):
        part.unlink(missing_ok=True)


def _is_lock_conflict(error: duckdb.Error) -> bool:
    text = str(error)
    return "Could not set lock" in text or "file handle conflict" in text


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error.strerror) from error


def _unwritable(path: Path, reason: str | None) -> WarehouseError:
    return WarehouseError(f"Cannot write to {path} ({reason}): {WRITABLE}.")


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("rollback")
    except duckdb.Error:
        # A fatal error has closed the transaction already; the error that led here is the one to raise.
        return
