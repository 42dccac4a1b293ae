"""One DuckDB instance a process: files come and go, and what one use leaves behind does not reach the next."""

import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.warehouse.processes import process, run


@pytest.fixture
def stored(tmp_path: Path) -> Warehouse:
    """A warehouse with one row; it gives up waiting quickly."""
    warehouse = Warehouse(tmp_path / "bridgecart.duckdb", lock_timeout_seconds=0.3)
    with warehouse.transaction() as connection:
        connection.execute("create table kept as select 1 as n")
    return warehouse


def _rows(warehouse: Warehouse) -> list[Any]:
    with warehouse.reading() as connection:
        return connection.execute("from kept").fetchall()


def test_many_uses_of_a_warehouse_make_one_instance(stored: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(duckdb, "connect", lambda *arguments, **_: made.append(arguments))
    assert _rows(stored) == _rows(stored) == [(1,)]
    assert made == []


def test_a_file_is_whole_and_free_once_its_use_has_ended(stored: Warehouse) -> None:
    assert [file.name for file in stored.path.parent.iterdir() if file.suffix == ".wal"] == []
    assert [link for link in Path("/proc/self/fd").iterdir() if _leads_to(link, stored.path)] == []
    with duckdb.connect(str(stored.path)) as another:
        assert another.execute("from kept").fetchall() == [(1,)]


def test_two_readers_of_one_process_do_not_wait_for_each_other(stored: Warehouse) -> None:
    with stored.reading() as one, stored.reading() as other:
        assert one.execute("from kept").fetchall() == other.execute("from kept").fetchall() == [(1,)]
    assert _rows(stored) == [(1,)]


def test_a_file_that_is_kept_open_is_opened_once_for_many_readers_and_again_after_a_write(
    stored: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[bool] = []
    attach = Warehouse._attach

    def note(warehouse: Warehouse, *arguments: Any, read_only: bool) -> Any:
        opened.append(read_only)
        return attach(warehouse, *arguments, read_only=read_only)

    monkeypatch.setattr(Warehouse, "_attach", note)
    with stored.kept_open(), stored.kept_open():
        assert [_rows(stored) for _ in range(3)] == [[(1,)]] * 3
        with stored.transaction() as connection:
            connection.execute("insert into kept values (2)")
        assert [_rows(stored) for _ in range(2)] == [[(1,), (2,)]] * 2
    assert opened == [True, False, True]
    assert _rows(stored) == [(1,), (2,)]
    assert [link for link in Path("/proc/self/fd").iterdir() if _leads_to(link, stored.path)] == []


def test_a_change_that_can_wait_is_made_with_the_next_write_or_when_the_file_is_no_longer_kept_open(
    stored: Warehouse,
) -> None:
    def change(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("insert into kept select max(n) + 1 from kept")

    with stored.kept_open():
        stored.soon(change)
        assert _rows(stored) == [(1,)]
        with pytest.raises(ZeroDivisionError), stored.transaction():
            raise ZeroDivisionError
        assert _rows(stored) == [(1,)]
        with stored.transaction() as connection:
            assert connection.execute("from kept").fetchall() == [(1,), (2,)]
        stored.soon(change)
    assert _rows(stored) == [(1,), (2,), (3,)]
    stored.soon(change)
    assert len(_rows(stored)) == 4


def test_a_change_that_can_wait_is_lost_where_the_work_raises(stored: Warehouse) -> None:
    def work() -> None:
        with stored.kept_open():
            stored.soon(lambda connection: connection.execute("drop table kept"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert _rows(stored) == [(1,)]


def test_of_a_file_that_is_kept_open_temporary_tables_and_time_zones_end_with_their_reader(stored: Warehouse) -> None:
    with stored.kept_open():
        with stored.reading() as one:
            one.execute("create temp table made as select 1")
            one.execute("set TimeZone = 'Asia/Kolkata'")
        with stored.reading() as later:
            assert later.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
            with pytest.raises(duckdb.CatalogException):
                later.execute("from made")


def test_while_a_file_is_kept_open_another_process_reads_and_waits_to_write(stored: Warehouse) -> None:
    writing = "with warehouse.transaction() as connection: connection.execute('insert into kept values (2)')"
    with stored.kept_open():
        assert _rows(stored) == [(1,)]
        assert run(stored.path, "with warehouse.reading() as c: print(c.execute('from kept').fetchall())") == "[(1,)]\n"
        with process(stored.path, f"ready()\n{writing}") as writer:
            assert writer.stdin is not None
            writer.stdin.write("\n")
            writer.stdin.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(0.5)
            assert _rows(stored) == [(1,)]
            with stored.transaction():
                pass
            assert writer.wait(60) == 0
        assert _rows(stored) == [(1,), (2,)]


def test_an_error_of_a_reader_closes_the_file_that_is_kept_open_and_the_next_opens_it(stored: Warehouse) -> None:
    with stored.kept_open():
        with pytest.raises(duckdb.CatalogException), stored.reading() as connection:
            connection.execute("from nowhere")
        assert [link for link in Path("/proc/self/fd").iterdir() if _leads_to(link, stored.path)] == []
        assert _rows(stored) == [(1,)]


def test_temporary_tables_and_time_zones_end_with_the_use_that_made_them(stored: Warehouse) -> None:
    with stored.reading() as one, stored.reading() as other:
        one.execute("create temp table made as select 1")
        one.execute("set TimeZone = 'Asia/Kolkata'")
        assert other.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
        with pytest.raises(duckdb.CatalogException):
            other.execute("from made")
    with stored.reading() as later, pytest.raises(duckdb.CatalogException):
        later.execute("from made")


def test_a_warehouse_with_other_settings_gets_an_instance_of_its_own_while_another_is_in_use(
    stored: Warehouse, tmp_path: Path
) -> None:
    other = Warehouse(tmp_path / "other.duckdb", memory_limit="512MiB")
    with stored.reading() as connection:
        with other.transaction() as written:
            written.execute("create table kept as select 2 as n")
        assert connection.execute("from kept").fetchall() == [(1,)]
    assert (_rows(stored), _rows(other)) == ([(1,)], [(2,)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_makes_an_instance_of_its_own(stored: Warehouse) -> None:
    script = """
def total():
    with warehouse.reading() as c: return c.execute("select sum(n) from kept, range(1000000)").fetchall()[0][0]
total()
child = os.fork()
if child == 0:
    print(total(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(total())
"""
    assert run(stored.path, script).splitlines() == ["1000000", "1000000"]


def test_an_error_that_ends_the_instance_does_not_end_the_process(stored: Warehouse) -> None:
    log = stored.path.with_suffix(".duckdb.wal")
    script = f"""
try:
    with warehouse.transaction() as c:
        c.execute("delete from kept")
        path.with_suffix(".duckdb.wal").symlink_to("/dev/full")
except WarehouseError:
    Path({str(log)!r}).unlink()
with warehouse.transaction() as c:
    print(c.execute("from kept").fetchall())
"""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    assert run(stored.path, script).splitlines() == ["[(1,)]"]


def _leads_to(link: Path, file: Path) -> bool:
    try:
        return link.readlink() == file
    except FileNotFoundError:
        return False
