import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import yaml
from filelock import FileLock

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.instance import (
    DataDirectoryUnusable,
    StorageFailed,
    dagster_instance,
    prepare_home,
    remove_home,
)
from bridgecart_assets.orchestration.partitions import BATCHES, newest_keys
from bridgecart_assets.orchestration.storage.sqlite_files import held_open, shared_databases


def test_the_home_is_complete_with_config_and_storage(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    home = prepare_home(settings)
    config = yaml.safe_load((home / "dagster.yaml").read_text())
    assert config["telemetry"] == {"enabled": False}
    assert config["concurrency"]["pools"] == {"default_limit": 1, "granularity": "run"}
    assert [file.is_file() for file in shared_databases(home)] == [True, True, True]
    assert sorted(path.name for path in settings.data_dir.iterdir()) == ["dagster_home", "dagster_home.lock"]
    # DAGSTER_HOME is set: everything that Dagster starts finds it.
    with dg.DagsterInstance.get() as instance:
        assert newest_keys(instance, limit=1) == []


def test_what_a_person_changed_in_the_config_stays(settings: Settings) -> None:
    config = prepare_home(settings) / "dagster.yaml"
    config.write_text("telemetry:\n  enabled: false\n")
    prepare_home(settings)
    assert config.read_text() == "telemetry:\n  enabled: false\n"


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ({"storage": {"postgres": {"postgres_url": "postgresql://me:secret@host/db", "port": 1}}}, "port"),
        ({"storage": {"custom": {"module": "no_such_module", "class": "Storage"}}}, "no_such_module"),
    ],
    ids=["a wrong option", "a package that is not installed"],
)
def test_a_config_that_dagster_cannot_use_is_named_with_the_reason(
    settings: Settings, block: dict[str, object], reason: str
) -> None:
    config = prepare_home(settings) / "dagster.yaml"
    config.write_text(yaml.safe_dump(block))
    with pytest.raises(StorageFailed, match=reason) as raised, dagster_instance(settings):
        pass
    assert str(config) in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_creation_that_was_cut_off_is_done_again_as_a_whole(settings: Settings) -> None:
    partial = settings.dagster_home.with_name("dagster_home.partial")
    (partial / "history" / "runs").mkdir(parents=True)
    # Where Dagster finds this file it takes the storage for made, and never makes the missing tables.
    with closing(sqlite3.connect(partial / "history" / "runs" / "index.db")) as connection:
        connection.execute("create table event_logs (id int)")
    with dagster_instance(settings) as instance:
        instance.add_dynamic_partitions(str(BATCHES.name), ["20260101T000000Z"])
        assert newest_keys(instance, limit=1) == ["20260101T000000Z"]
    assert not partial.exists()


def test_a_home_is_removed_as_a_whole(settings: Settings) -> None:
    remove_home(settings)
    prepare_home(settings)
    remove_home(settings)
    assert sorted(path.name for path in settings.data_dir.iterdir()) == ["dagster_home.lock"]


def test_two_commands_that_start_at_once_share_one_home(settings: Settings) -> None:
    prepare = "from bridgecart_assets.base import settings; from bridgecart_assets.orchestration import instance; "
    command = [sys.executable, "-c", prepare + "instance.prepare_home(settings.load_settings())"]
    with ThreadPoolExecutor(2) as pool:
        ended = pool.map(lambda _: subprocess.run(command, capture_output=True, text=True, timeout=60), range(2))
    assert [(done.returncode, done.stderr) for done in ended] == [(0, ""), (0, "")]
    with dagster_instance(settings) as instance:
        assert newest_keys(instance, limit=1) == []


def test_a_file_in_the_place_of_the_data_directory_is_named(settings: Settings) -> None:
    settings.data_dir.write_text("a file")
    with pytest.raises(DataDirectoryUnusable, match=r"make it writable or set BRIDGECART_DATA_DIR") as raised:
        prepare_home(settings)
    assert str(settings.data_dir) in str(raised.value)


def log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def write(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table if not exists written (at int)")
        connection.execute("insert into written values (1)")
        connection.commit()


def test_a_held_file_keeps_its_log_when_others_close_it(tmp_path: Path) -> None:
    file, missing = tmp_path / "index.db", tmp_path / "missing.db"
    write(file)
    assert not log_of(file).exists()
    with held_open([file, missing]):
        write(file)
        assert log_of(file).exists()
        assert not missing.exists()
    assert not log_of(file).exists()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select count(*) from written").fetchall() == [(2,)]


def test_whoever_waits_for_another_process_to_make_the_home_does_not_wait_for_ever(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridgecart_assets.orchestration.instance.CREATE_SECONDS", 0.1)
    settings.data_dir.mkdir()
    with (
        FileLock(f"{settings.dagster_home}.lock"),
        pytest.raises(DataDirectoryUnusable, match="stop it, then try again"),
    ):
        prepare_home(settings)
    prepare_home(settings)
