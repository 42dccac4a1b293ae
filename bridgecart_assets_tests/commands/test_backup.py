"""`bridgecart backup` and `restore`: what is in the folder, what is refused, what is left where one is cut off."""

import json
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.processes.run_lock import run_lock, serve_lock
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.forgotten_list import ForgottenList
from bridgecart_assets.warehouse.storage.migrations import MIGRATIONS
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line, content
from bridgecart_assets_tests.support.state import digests, rows
from bridgecart_assets_tests.support.written import written

SECRET = "pa55-w0rd-of-the-shop"
CUSTOMERS = "select customer_id from silver.customers order by 1"


@pytest.fixture
def saved(bridgecart: Bridgecart, filled: Warehouse, tmp_path: Path) -> Path:
    """A backup of the test's warehouse."""
    folder = tmp_path / "saved"
    done = bridgecart("backup", str(folder))
    assert (done.code, done.err) == (0, "")
    return folder


def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Another machine: an empty data directory."""
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(tmp_path / "elsewhere"))
    return load_settings()


def kept(warehouse: Warehouse) -> dict[str, bytes]:
    """All of the data directory but locks, and Dagster's files, in which looking leaves traces."""
    found = content(warehouse.path.parent)
    return {name: said for name, said in found.items() if not name.endswith(".lock") and "/dagster_home/" not in name}


def test_everything_that_must_be_kept_is_in_it_and_comes_back_as_it_was(
    bridgecart: Bridgecart, filled: Warehouse, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dagster_instance(settings) as instance:
        instance.add_dynamic_partitions("batches", ["one", "two"])
    (settings.data_dir / "reports").mkdir()
    (settings.data_dir / "reports" / "2025-12.html").write_text("December")
    (settings.data_dir / "published" / "half.parquet.partial").write_text("half")
    (settings.dagster_home / "dagster.yaml").chmod(0o600)
    before, published = digests(filled, with_ledger=True), content(settings.published_dir)
    done = bridgecart("backup", str(tmp_path / "saved"), "--json")
    said = json.loads(done.out)
    assert said["has_records"]
    assert said["files"] == len(content(tmp_path / "saved")) - 1

    there = elsewhere(tmp_path, monkeypatch)
    restored = json.loads(bridgecart("restore", str(tmp_path / "saved"), "--json").out)
    ((batches, records),) = rows(filled, "select count(*), sum(records)::bigint from raw.batches")
    assert restored == {"made_at": restored["made_at"], "batches": batches, "records": records, "warnings": []}
    assert digests(Warehouse(there.warehouse_path), with_ledger=True) == before
    assert (there.data_dir / "reports" / "2025-12.html").read_text() == "December"
    assert len(published) > 10
    found = content(there.published_dir)
    assert [
        found[name.replace(str(settings.data_dir), str(there.data_dir))] for name in published if "half" not in name
    ]
    assert not (there.published_dir / "half.parquet.partial").exists()
    assert (there.dagster_home / "dagster.yaml").stat().st_mode & 0o777 == 0o600
    with dagster_instance(there) as instance:
        assert instance.get_dynamic_partitions("batches") == ["one", "two"]


def test_only_its_owner_looks_into_it_and_no_secret_is_in_it(
    bridgecart: Bridgecart, filled: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_KAFKA_SASL_PASSWORD", SECRET)
    monkeypatch.setenv("BRIDGECART_ALERT_WEBHOOK", f"https://hooks.example/{SECRET}")
    monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", f"https://user:{SECRET}@registry.example")
    monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", f"user:{SECRET}")
    monkeypatch.setenv("BRIDGECART_KPI_PERIOD", "week")
    (filled.path.parent / ".env").write_text(f"DAGSTER_POSTGRES_PASSWORD={SECRET}")
    assert bridgecart("backup", str(tmp_path / "saved")).code == 0
    assert (tmp_path / "saved").stat().st_mode & 0o777 == 0o700
    assert [str(file) for file in (tmp_path / "saved").rglob("*") if file.is_file() and SECRET in written(file)] == []
    assert (
        json.loads((tmp_path / "saved" / "manifest.json").read_bytes())["settings"]["BRIDGECART_KPI_PERIOD"] == "week"
    )


def test_settings_and_a_mapping_that_are_others_are_named(
    bridgecart: Bridgecart, filled: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = tmp_path / "shop.toml"
    mapping.write_text("[order]")
    monkeypatch.setenv("BRIDGECART_MAPPING", str(mapping))
    monkeypatch.setenv("BRIDGECART_CURRENCY", "EUR")
    assert bridgecart("backup", str(tmp_path / "saved")).code == 0
    elsewhere(tmp_path, monkeypatch)
    monkeypatch.delenv("BRIDGECART_MAPPING")
    monkeypatch.delenv("BRIDGECART_CURRENCY")
    monkeypatch.setenv("BRIDGECART_CHURN_WINDOW_DAYS", "60")
    _, *warnings = bridgecart("restore", str(tmp_path / "saved")).out.splitlines()
    assert [warning.split()[0] for warning in warnings[:2]] == ["BRIDGECART_CHURN_WINDOW_DAYS", "BRIDGECART_CURRENCY"]
    assert warnings[0].startswith("BRIDGECART_CHURN_WINDOW_DAYS was 90 when it was saved, and is 60: ")
    assert warnings[1].startswith("BRIDGECART_CURRENCY was EUR when it was saved, and is not set: ")
    assert warnings[2].startswith(f"Records were read by the mapping {tmp_path / 'saved' / 'mapping.toml'}: ")
    assert (tmp_path / "saved" / "mapping.toml").read_text() == "[order]"


def test_a_folder_that_is_there_is_not_touched(bridgecart: Bridgecart, filled: Warehouse, saved: Path) -> None:
    before = content(saved)
    assert_one_line(bridgecart("backup", str(saved)), "is there already")
    assert content(saved) == before


def test_it_waits_for_nobody_else(bridgecart: Bridgecart, settings: Settings, filled: Warehouse, saved: Path) -> None:
    with run_lock(settings.data_dir):
        assert_one_line(bridgecart("backup", f"{saved}-2"), "Another bridgecart command works on")
        assert_one_line(bridgecart("restore", str(saved), "--replace"), "Another bridgecart command works on")
    with serve_lock(settings.data_dir):
        assert_one_line(bridgecart("restore", str(saved), "--replace"), "Another `bridgecart up` works on")
    assert not Path(f"{saved}-2").exists()


def test_without_a_warehouse_there_is_nothing_to_save(bridgecart: Bridgecart, tmp_path: Path) -> None:
    assert_one_line(bridgecart("backup", str(tmp_path / "saved")), "There is no warehouse at")
    assert list(tmp_path.glob("saved*")) == []


def test_a_warehouse_is_replaced_only_where_that_was_said_and_with_its_log(
    bridgecart: Bridgecart, filled: Warehouse, saved: Path
) -> None:
    before = digests(filled)
    with filled.transaction() as connection:
        connection.execute("delete from silver.orders")
    # As a killed process leaves it: a log of a file that is not there any more would be written over the new one.
    log = filled.path.with_name(f"{filled.path.name}.wal")
    log.write_bytes(b"of the old file")
    after = kept(filled)
    assert_one_line(bridgecart("restore", str(saved)), "There is a warehouse at", "--replace")
    assert kept(filled) == after
    assert bridgecart("restore", str(saved), "--replace").code == 0
    assert digests(filled) == before
    assert not log.exists()
    assert not (filled.path.parent / "restoring").exists()


def _flip_a_bit(saved: Path) -> None:
    with (saved / "bridgecart.duckdb").open("r+b") as file:
        file.seek(100_000)
        byte = file.read(1)[0]
        file.seek(100_000)
        file.write(bytes([byte ^ 1]))


def _cut_off(saved: Path) -> None:
    with (saved / "bridgecart.duckdb").open("r+b") as file:
        file.truncate(100_000)


def _lose_a_file(saved: Path) -> None:
    next((saved / "published").rglob("*.parquet")).unlink()


def _lose_the_manifest(saved: Path) -> None:
    (saved / "manifest.json").unlink()


def _change_manifest(**values: object) -> Callable[[Path], None]:
    def change(saved: Path) -> None:
        file = saved / "manifest.json"
        file.write_text(json.dumps({**json.loads(file.read_bytes()), **values}))

    return change


def _garble_the_manifest(saved: Path) -> None:
    (saved / "manifest.json").write_text('{"form": 1')


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_flip_a_bit, "bridgecart.duckdb is not the file that was saved"),
        (_cut_off, "bridgecart.duckdb is not the file that was saved"),
        (_lose_a_file, ".parquet is not the file that was saved"),
        (_lose_the_manifest, "is no backup: it has no manifest.json"),
        (_garble_the_manifest, "manifest.json cannot be read"),
        (_change_manifest(layout=len(MIGRATIONS) + 1, bridgecart="9.0"), "was made by BridgeCart 9.0, which is later"),
        (_change_manifest(form=2, bridgecart="9.0"), "was made by BridgeCart 9.0, which is later"),
        (_change_manifest(files=[["../run.lock", 0, "0"]]), "names files outside of its folder"),
        (_change_manifest(files=[]), "has no warehouse in it"),
    ],
    ids=["bit", "end", "file", "manifest", "half a manifest", "layout", "form", "path", "warehouse"],
)
def test_a_backup_that_is_not_what_was_saved_changes_nothing(
    bridgecart: Bridgecart, filled: Warehouse, saved: Path, damage: Callable[[Path], None], says: str
) -> None:
    damage(saved)
    before = kept(filled)
    assert_one_line(bridgecart("restore", str(saved), "--replace"), says)
    assert kept(filled) == before


def test_without_room_nothing_is_begun(
    bridgecart: Bridgecart, filled: Warehouse, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept(filled)
    nearly_full = shutil.disk_usage(saved)._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: nearly_full)
    assert_one_line(bridgecart("backup", f"{saved}-2"), "No room in", "MB are free")
    assert_one_line(bridgecart("restore", str(saved), "--replace"), "No room in", "MB are free")
    assert not Path(f"{saved}-2").exists()
    assert not Path(f"{saved}-2.partial").exists()
    assert kept(filled) == before


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows beyond a megabyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_in_mid_copy_leaves_nothing_half(
    bridgecart: Bridgecart, filled: Warehouse, saved: Path
) -> None:
    before = kept(filled)
    with full_disk():
        second = bridgecart("backup", f"{saved}-2")
        restored = bridgecart("restore", str(saved), "--replace")
    assert_one_line(second, "Cannot write the backup", "File too large", "make room")
    assert_one_line(restored, "Cannot copy the backup", "File too large", "make room")
    assert list(saved.parent.glob("saved-2*")) == []
    assert kept(filled) == before


def test_customers_forgotten_since_stay_forgotten(
    bridgecart: Bridgecart, filled: Warehouse, settings: Settings, saved: Path
) -> None:
    (first, *others) = (str(customer) for (customer,) in rows(filled, CUSTOMERS))
    assert bridgecart("forget", first).code in (0, 3)
    assert bridgecart("restore", str(saved), "--replace").code == 0
    assert [customer for (customer,) in rows(filled, CUSTOMERS)] == others
    known = ForgottenList.beside(settings.warehouse_path)
    assert known is not None
    assert len(known.customers) == 1
