"""Opening the warehouse: one transaction or nothing, bounded waiting, errors in one line, never a lock left behind."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock, Timeout

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import SEGMENT_MODEL
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage import database
from bridgecart_assets.warehouse.storage.database import (
    DuckDBFailed,
    Warehouse,
    WarehouseError,
    WarehouseLocked,
    WarehouseMissing,
    WarehouseUnusable,
    explain,
    table_exists,
)
from bridgecart_assets.warehouse.storage.duckdb_instance import Attached
from bridgecart_assets_tests.warehouse.processes import process, release, run

HOLD_FOR_WRITING = "with warehouse.transaction(): ready()"
HOLD_FOR_READING = "with warehouse.reading(): ready()"
FULL_DEVICE = Path("/dev/full")


@pytest.fixture
def stored(tmp_path: Path) -> Warehouse:
    """A warehouse with one table of 20,000 rows; it gives up waiting quickly."""
    warehouse = Warehouse(tmp_path / "data" / "bridgecart.duckdb", lock_timeout_seconds=0.3)
    with warehouse.transaction() as connection:
        connection.execute("create table kept as select i as n, md5(i::varchar) as text from range(20000) r(i)")
    return warehouse


def _total(warehouse: Warehouse) -> int:
    with warehouse.reading() as connection:
        return int(connection.execute("select sum(n) from kept where length(text) = 32").fetchall()[0][0])


def _update(warehouse: Warehouse) -> None:
    with warehouse.transaction() as connection:
        connection.execute("update kept set n = n + 1, text = md5(text)")


def _execute(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.transaction() as connection:
        for statement in statements:
            connection.execute(statement)


UNTOUCHED = sum(range(20_000))


def test_a_rewritten_file_has_all_rows_and_nothing_of_deleted_ones(stored: Warehouse) -> None:
    secrets = (
        "s.secrets (n integer not null, said blob using compression zstd, word varchar using compression uncompressed)"
    )
    _execute(stored, "create schema s", f"create table {secrets}")
    _execute(stored, "insert into s.secrets select i, 'some', 'SECRET' || i from range(10) r(i)")
    _execute(stored, "delete from s.secrets where n > 3")
    stored.path.chmod(0o600)
    assert b"SECRET7" in stored.path.read_bytes()
    stored.rewrite()
    assert b"SECRET7" not in stored.path.read_bytes()
    assert _total(stored) == UNTOUCHED
    with stored.reading() as connection:
        assert connection.execute("select count(*) from s.secrets").fetchall() == [(4,)]
        (ddl,) = connection.execute("select sql from duckdb_tables() where table_name = 'secrets'").fetchall()[0]
    assert "NOT NULL" in ddl
    assert "ZSTD" in ddl
    assert stored.path.stat().st_mode & 0o777 == 0o600
    assert _files(stored) == [stored.path.name]


def test_a_rewrite_clears_away_what_a_killed_one_left_and_follows_a_link(stored: Warehouse, tmp_path: Path) -> None:
    for left in ("bridgecart.rewritten", "bridgecart.rewritten.wal"):
        (stored.path.parent / left).write_bytes(b"half")
    link = tmp_path / "linked.duckdb"
    link.symlink_to(stored.path)
    Warehouse(link).rewrite()
    assert link.is_symlink()
    assert _total(Warehouse(link)) == UNTOUCHED
    assert _files(stored) == [stored.path.name]


def test_a_rewrite_without_room_leaves_the_file_as_it_is_and_no_other(
    stored: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(connection: duckdb.DuckDBPyConnection, fresh: Path) -> None:
        fresh.write_bytes(b"half")
        raise duckdb.IOException("Could not write all bytes: No space left on device")

    monkeypatch.setattr(database, "_copy_database", full)
    with pytest.raises(WarehouseError, match=r"^Cannot write .*No space left on device.* and run again"):
        stored.rewrite()
    assert _files(stored) == [stored.path.name]
    assert _total(stored) == UNTOUCHED


def test_a_rewrite_waits_for_whoever_has_the_file_open(stored: Warehouse) -> None:
    with process(stored.path, HOLD_FOR_READING), pytest.raises(WarehouseLocked):
        stored.rewrite()
    assert _total(stored) == UNTOUCHED


def test_while_it_stands_still_others_read_it_and_nobody_writes(stored: Warehouse) -> None:
    with stored.standing_still() as file:
        begun = file.read(100)
        assert run(stored.path, "with warehouse.reading(): print('read')") == "read\n"
        write = "\nwith Warehouse(path, lock_timeout_seconds=0.2).transaction(): print('wrote')"
        assert (
            run(stored.path, f"try:{write.replace(chr(10), chr(10) + '    ')}\nexcept WarehouseError: print('held')")
            == "held\n"
        )
        assert begun + file.read() == stored.path.read_bytes()
    assert run(stored.path, write) == "wrote\n"


def test_what_a_killed_process_had_committed_is_in_the_file_that_stands_still(stored: Warehouse) -> None:
    killed = """
connection = duckdb.connect(str(path), config={"checkpoint_threshold": "1GB"})
connection.execute("create table late as select 7 as n")
ready()
"""
    with process(stored.path, killed) as writer:
        writer.kill()
        writer.wait()
    assert _log(stored).exists()
    copy = Warehouse(stored.path.with_name("copy.duckdb"))
    with stored.standing_still() as file:
        copy.path.write_bytes(file.read())
    with copy.reading() as connection:
        assert connection.execute("select n from late").fetchall() == [(7,)]
    assert not _log(stored).exists()


def test_a_log_that_never_goes_to_the_file_is_told_and_not_waited_for(
    stored: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Warehouse, "_is_settled", lambda *_: False)
    with pytest.raises(WarehouseError, match=r"^The log of .* free some space"), stored.standing_still():
        pass
    assert _total(stored) == UNTOUCHED


def test_a_file_that_gives_way_to_another_leaves_no_log_that_would_be_written_over_it(
    stored: Warehouse, tmp_path: Path
) -> None:
    other = Warehouse(tmp_path / "other.duckdb")
    _execute(other, "create table kept as select 5 as n, repeat('a', 32) as text")
    _log(stored).write_bytes(b"of the file before")
    with process(stored.path, "with warehouse.reading(): ready()"):
        stored.give_way_to(other.path)
        assert _total(stored) == 5
    assert not _log(stored).exists()


def _log(warehouse: Warehouse) -> Path:
    return warehouse.path.with_name(f"{warehouse.path.name}.wal")


def _assert_one_line(error: BridgeCartError, *parts: object) -> None:
    text = str(error)
    assert "\n" not in text
    assert [str(part) for part in parts if str(part) not in text] == []


# --- one transaction


def test_what_a_transaction_wrote_is_there_for_the_next_reader(stored: Warehouse) -> None:
    _update(stored)
    assert _total(stored) == UNTOUCHED + 20_000


@pytest.mark.parametrize("failure", [ValueError("no"), KeyboardInterrupt(), SystemExit(1), GeneratorExit()], ids=repr)
def test_any_exception_undoes_the_transaction_and_frees_the_file(stored: Warehouse, failure: BaseException) -> None:
    def fail() -> None:
        with stored.transaction() as connection:
            connection.execute("delete from kept")
            connection.execute("create table half_written as select 1")
            raise failure

    with pytest.raises(type(failure)):
        fail()
    # A connection left open for writing would not let a reader in, not even of the same process.
    assert _total(stored) == UNTOUCHED
    with stored.reading() as connection:
        assert connection.execute(
            "select count(*) from duckdb_tables() where table_name <> 'layout_version'"
        ).fetchall() == [(1,)]


def test_a_mistake_in_sql_is_raised_as_it_is(stored: Warehouse) -> None:
    with pytest.raises(duckdb.CatalogException, match="no_such_table") as raised:
        _execute(stored, "delete from kept", "delete from no_such_table")
    assert raised.value.__cause__ is None
    assert _total(stored) == UNTOUCHED


def test_reading_cannot_write_and_leaves_no_lock(stored: Warehouse) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="read-only"), stored.reading() as connection:
        connection.execute("delete from kept")
    _update(stored)


def test_reading_what_is_not_there_says_so_and_makes_no_file(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "none" / "bridgecart.duckdb")
    assert not warehouse.exists
    with pytest.raises(WarehouseMissing, match="bridgecart run") as raised, warehouse.reading():
        pass
    _assert_one_line(raised.value, warehouse.path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("writing", [False, True], ids=["reading", "writing"])
def test_the_settings_decide_path_memory_and_time_zone(stored: Warehouse, writing: bool) -> None:
    settings = Settings(
        data_dir=stored.path.parent, memory_limit="512MiB", naive_timezone="Asia/Kolkata", lock_timeout_seconds=7
    )
    warehouse = warehouse_from_settings(settings)
    assert (warehouse.path, warehouse.lock_timeout_seconds) == (stored.path, 7)
    with warehouse.transaction() if writing else warehouse.reading() as connection:
        rows = connection.execute("select current_setting('TimeZone'), current_setting('memory_limit')").fetchall()
    assert rows == [("Asia/Kolkata", "512.0 MiB")]


def test_a_table_exists_once_it_was_made(stored: Warehouse) -> None:
    with stored.transaction() as connection:
        assert not table_exists(connection, SEGMENT_MODEL)
        connection.execute("create schema gold")
        connection.execute(SEGMENT_MODEL.ddl())
        assert table_exists(connection, SEGMENT_MODEL)


# --- other processes


@pytest.mark.parametrize("held", [HOLD_FOR_WRITING, HOLD_FOR_READING], ids=["a writer", "a reader"])
def test_a_writer_waits_until_its_deadline_and_names_the_holder(stored: Warehouse, held: str) -> None:
    with process(stored.path, held) as holder:
        begun = time.monotonic()
        with pytest.raises(WarehouseLocked) as raised:
            _update(stored)
        assert 0.3 <= time.monotonic() - begun < 5
        _assert_one_line(raised.value, stored.path, f"PID {holder.pid})", "wait for it, or stop it")
    assert _total(stored) == UNTOUCHED


def test_a_reader_waits_for_a_writer_but_not_for_readers(stored: Warehouse) -> None:
    with process(stored.path, HOLD_FOR_WRITING), pytest.raises(WarehouseLocked, match=r"PID \d+"):
        _total(stored)
    with process(stored.path, HOLD_FOR_READING):
        assert _total(stored) == UNTOUCHED


def test_a_waiting_writer_gets_in_when_the_file_is_released(stored: Warehouse) -> None:
    patient = Warehouse(stored.path, lock_timeout_seconds=30)
    with process(stored.path, HOLD_FOR_WRITING) as holder:
        timer = threading.Timer(0.4, release, [holder])
        timer.start()
        _update(patient)
        timer.join()
    assert _total(stored) == UNTOUCHED + 20_000


def test_a_killed_holder_leaves_no_lock_and_nothing_of_its_transaction(stored: Warehouse) -> None:
    script = "with warehouse.transaction() as c: c.execute('delete from kept'); ready()"
    with process(stored.path, script) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert _total(stored) == UNTOUCHED
    _update(stored)


def test_a_process_killed_after_its_commit_has_written_all_of_it(stored: Warehouse) -> None:
    script = """
with warehouse.transaction() as c:
    c.execute("update kept set n = n + 1")
    c.execute("commit")
    ready()
"""
    with process(stored.path, script) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert _total(stored) == UNTOUCHED + 20_000


def test_nobody_looks_at_the_file_while_a_writer_has_it(stored: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    # DuckDB reads the file's headers before it locks it. Without a lock around that, one commit in about two thousand
    # was lost when three processes took turns.
    free: dict[str, bool] = {}
    attach = Attached.to

    def looking(*arguments: Any, **options: Any) -> Attached:
        free["while it is opened"] = _is_gate_free(stored)
        return attach(*arguments, **options)

    monkeypatch.setattr(Attached, "to", looking)
    with stored.reading():
        free["while it is read"] = _is_gate_free(stored)
    assert free == {"while it is opened": False, "while it is read": True}
    with stored.transaction() as connection:
        free["while it is written"] = _is_gate_free(stored)
        assert connection.execute("select 1").fetchall() == [(1,)]
    assert free == {"while it is opened": False, "while it is read": True, "while it is written": False}
    assert _is_gate_free(stored)


def test_a_killed_writer_leaves_the_gate_open(stored: Warehouse) -> None:
    with process(stored.path, HOLD_FOR_WRITING) as writer:
        assert not _is_gate_free(stored)
        writer.kill()
        writer.wait()
        assert _is_gate_free(stored)
    with stored.transaction() as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_commit_of_many_is_lost_between_writers(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "bridgecart.duckdb", lock_timeout_seconds=60)
    with warehouse.transaction() as connection:
        connection.execute("create table counter as select 0 as n")
    # Polling is not fair: with the writers never pausing, one may wait for long.
    script = """
warehouse = Warehouse(path, lock_timeout_seconds=600)
ready()
for _ in range(1000):
    with warehouse.transaction() as c: c.execute("update counter set n = n + 1")
"""
    with ExitStack() as stack:
        writers = [stack.enter_context(process(warehouse.path, script)) for _ in range(3)]
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
        assert [writer.wait(timeout=800) for writer in writers] == [0, 0, 0]
    with warehouse.reading() as connection:
        assert connection.execute("from counter").fetchall() == [(3000,)]


def test_writers_of_several_processes_take_turns(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "bridgecart.duckdb", lock_timeout_seconds=30)
    with warehouse.transaction() as connection:
        connection.execute("create table counter as select 0 as n")
    script = """
ready()
for _ in range(10):
    with warehouse.transaction() as c: c.execute("update counter set n = n + 1")
"""
    with process(warehouse.path, script) as one, process(warehouse.path, script) as other:
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
        assert (release(one), other.wait(timeout=60)) == (0, 0)
    with warehouse.reading() as connection:
        assert connection.execute("from counter").fetchall() == [(20,)]


def test_waiting_processes_do_not_poll_in_step(stored: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        pauses.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", pause)
    with process(stored.path, HOLD_FOR_WRITING), pytest.raises(WarehouseLocked):
        _update(stored)
    assert len(set(pauses)) == len(pauses) > 1
    assert all(0.5 <= seconds / database.POLL_SECONDS <= 1.5 for seconds in pauses)


def test_a_connection_of_this_process_that_is_in_the_way_is_called_a_holder(stored: Warehouse) -> None:
    with stored.reading(), pytest.raises(WarehouseLocked, match="held by another connection"):
        _update(stored)
    with stored.transaction(), pytest.raises(WarehouseLocked):
        _total(stored)


# --- damaged files


def _overwrite(path: Path, start: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(content)


def _damage_blocks(path: Path) -> None:
    for start in range(12_288, path.stat().st_size, 262_144):
        _overwrite(path, start + 4_000, b"damaged")


def _into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"no database" * 1_000), id="something else"),
        pytest.param(lambda path: path.write_bytes(b""), id="an empty file"),
        pytest.param(lambda path: os.truncate(path, 20_000), id="cut off"),
        pytest.param(lambda path: _overwrite(path, 0, bytes(12_288)), id="headers zeroed"),
        pytest.param(_damage_blocks, id="damaged blocks"),
        pytest.param(_into_folder, id="a folder"),
    ],
)
@pytest.mark.parametrize("use", [_total, _update], ids=["reading", "writing"])
def test_a_corrupt_warehouse_is_one_line_with_the_remedy(
    stored: Warehouse, damage: Callable[[Path], None], use: Callable[[Warehouse], object]
) -> None:
    damage(stored.path)
    before = stored.path.read_bytes() if stored.path.is_file() else None
    with pytest.raises(WarehouseError) as raised:
        use(stored)
    _assert_one_line(raised.value, stored.path, "cannot be used", "restore it from a backup", "bridgecart run")
    assert not isinstance(raised.value, WarehouseMissing | WarehouseLocked)
    assert before == (stored.path.read_bytes() if stored.path.is_file() else None)


# --- folders that cannot be written


@pytest.mark.parametrize("use", [_total, _update], ids=["reading", "writing"])
@pytest.mark.parametrize(
    "folder",
    [
        pytest.param("file", id="a file where the folder should be"),
        pytest.param("x" * 300, id="a name that is too long"),
        pytest.param("/proc/self/bridgecart", id="a folder nobody can make"),
        pytest.param("/proc", id="a folder nobody can write to"),
    ],
)
def test_an_unusable_folder_is_one_line_with_the_remedy(
    tmp_path: Path, folder: str, use: Callable[[Warehouse], object]
) -> None:
    if folder.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("no /proc on this system")
    (tmp_path / "file").touch()
    warehouse = Warehouse(tmp_path / folder / "bridgecart.duckdb")
    with pytest.raises(WarehouseError) as raised:
        use(warehouse)
    missing = isinstance(raised.value, WarehouseMissing)
    _assert_one_line(raised.value, warehouse.path.parent, "bridgecart run" if missing else "set BRIDGECART_DATA_DIR")
    assert not missing or use is _total


@pytest.mark.parametrize(
    "forbid",
    [
        pytest.param(lambda path: path.chmod(0), id="the file"),
        pytest.param(lambda path: path.parent.chmod(0), id="its folder"),
    ],
)
def test_a_warehouse_one_may_not_touch_is_one_line_with_the_remedy(forbid: Callable[[Path], None]) -> None:
    # Root may do everything, so the process becomes nobody; for that the folders above must be open to nobody.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "data" / "bridgecart.duckdb"
        with Warehouse(path).transaction() as connection:
            connection.execute("create table kept as select 1 as n")
        forbid(path)
        script = """
if os.geteuid() == 0:
    os.setuid(65534)
for use in (warehouse.reading, warehouse.transaction):
    try:
        with use() as c: print(c.execute("from kept").fetchall())
    except WarehouseError as error:
        print(error)
"""
        reading, writing = run(path, script).splitlines()
        path.parent.chmod(0o755)
        for message in (reading, writing):
            assert str(path.parent) in message
            assert message.endswith("make it writable or set BRIDGECART_DATA_DIR.")


def test_a_link_to_nowhere_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "bridgecart.duckdb")
    warehouse.path.symlink_to(tmp_path / "gone" / "bridgecart.duckdb")
    with pytest.raises(WarehouseError) as raised:
        _update(warehouse)
    _assert_one_line(raised.value, warehouse.path, "make it writable or set BRIDGECART_DATA_DIR")


# --- no space, no memory


@pytest.mark.skipif(not FULL_DEVICE.exists(), reason="no /dev/full on this system")
def test_a_disk_that_is_full_at_the_commit_undoes_all_of_it(stored: Warehouse) -> None:
    log = stored.path.with_suffix(".duckdb.wal")

    def fill_disk() -> None:
        with stored.transaction() as connection:
            connection.execute("delete from kept")
            log.symlink_to(FULL_DEVICE)

    with pytest.raises(WarehouseError, match="No space left") as raised:
        fill_disk()
    _assert_one_line(raised.value, stored.path, "free some space", "nothing was changed")
    log.unlink(missing_ok=True)
    assert _total(stored) == UNTOUCHED


def test_a_disk_that_is_full_in_the_middle_undoes_all_of_it(stored: Warehouse) -> None:
    script = """
import resource
limit = path.stat().st_size + 1_000_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with warehouse.transaction() as c:
        c.execute("delete from kept")
        c.execute("create table large as select i as n, md5(i::varchar) as text from range(1000000) r(i)")
except WarehouseError as error:
    print(error)
with warehouse.reading() as c:
    print(c.execute("select sum(n) from kept").fetchall()[0][0])
"""
    message, total = run(stored.path, script).splitlines()
    assert message.startswith(f"No space left to write {stored.path}: free some space")
    assert int(total) == UNTOUCHED
    _update(stored)


def test_too_little_memory_is_one_line_that_names_the_setting(stored: Warehouse) -> None:
    small = Warehouse(stored.path, memory_limit="8MB")
    large = "create table large as select md5(i::varchar) as t from range(1000000) r(i) order by t"
    with pytest.raises(WarehouseError) as raised:
        _execute(small, "delete from kept", large)
    _assert_one_line(raised.value, "its limit of 8MB", "BRIDGECART_MEMORY_LIMIT", "nothing was changed")
    assert _total(stored) == UNTOUCHED


# --- messages of DuckDB that a test cannot bring about


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            duckdb.IOException('Could not set lock on file "x": Conflicting lock is held in PID 17. See also'),
            WarehouseLocked,
            "held by PID 17:",
        ),
        (
            duckdb.IOException("Could not set lock: Conflicting lock is held in /bin/python3.11 (PID 17) by user b"),
            WarehouseLocked,
            "held by /bin/python3.11 (PID 17):",
        ),
        (
            duckdb.IOException('Could not set lock on file "x": Resource temporarily unavailable'),
            WarehouseLocked,
            "held by another connection:",
        ),
        (duckdb.IOException('Could not write file "x": Disk quota exceeded'), WarehouseError, "No space left"),
        (
            duckdb.OutOfMemoryException("failed to offload data block.\nThe 'max_temp_directory_size' setting"),
            WarehouseError,
            "No space left",
        ),
        (duckdb.IOException('Cannot open file "x": Permission denied'), WarehouseError, "make it writable"),
        (duckdb.IOException('Cannot open file "x": Read-only file system'), WarehouseError, "make it writable"),
        (duckdb.IOException('Could not write file "x": Input/output error'), WarehouseUnusable, "cannot be used"),
        (duckdb.FatalException("database is invalidated\nmore"), WarehouseUnusable, "(database is invalidated)"),
        (duckdb.SerializationException("Failed to deserialize"), WarehouseUnusable, "cannot be used"),
        (duckdb.Error("Corrupt database file: computed checksum 1"), WarehouseUnusable, "cannot be used"),
        (duckdb.InternalException("INTERNAL Error: index 5\nmore"), DuckDBFailed, "(INTERNAL Error: index 5): nothing"),
        (duckdb.FatalException('invalidated: "INTERNAL Error: index 5"\nmore'), DuckDBFailed, "DuckDB itself failed"),
    ],
)  # fmt: skip
def test_failures_of_file_disk_and_memory_are_explained(
    tmp_path: Path, error: duckdb.Error, kind: type[WarehouseError], words: str
) -> None:
    path = tmp_path / "bridgecart.duckdb"
    path.touch()
    explained = explain(error, path, "1500MB")
    assert type(explained) is kind
    _assert_one_line(explained, words)


def test_of_an_error_of_duckdb_itself_nobody_is_told_to_move_the_warehouse_away(tmp_path: Path) -> None:
    explained = explain(duckdb.InternalException("INTERNAL Error: index 5"), tmp_path, "1500MB")
    assert explained is not None
    assert "move it away" not in str(explained)
    assert not explained.is_mended_by_topic


@pytest.mark.parametrize("error", [duckdb.BinderException("x"), duckdb.ConversionException("x"), duckdb.Error("x")])
def test_mistakes_are_not_explained_away(tmp_path: Path, error: duckdb.Error) -> None:
    assert explain(error, tmp_path, "1500MB") is None


def _is_gate_free(warehouse: Warehouse) -> bool:
    gate = FileLock(f"{warehouse.path}.lock")
    try:
        gate.acquire(timeout=0)
    except Timeout:
        return False
    gate.release()
    return True


def _files(warehouse: Warehouse) -> list[str]:
    """What stands in the warehouse's folder beside the file of its lock."""
    return sorted(file.name for file in warehouse.path.parent.iterdir() if file.suffix != ".lock")
