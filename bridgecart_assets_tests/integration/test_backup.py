"""A backup of a working `bridgecart up`, put back on an empty machine, which goes on; backups that are cut off."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.orchestration.instance import prepare_home
from bridgecart_assets.sources.kafka.positions import topic_id
from bridgecart_assets.warehouse.storage.backup_folder import read_backup
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.faults import Faults, warehouse_in
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.processes import wait_until
from bridgecart_assets_tests.integration.served import up
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.state import digests, rows

TAKEN_IN_SECONDS = 90.0
STORY_SECONDS = 600
# Models are fitted by the first batch only: later ones are cut otherwise on the other machine.
FITTED_ONCE = {"BRIDGECART_MODEL_REFIT_DAYS": "3650"}


@contextmanager
def selling(shop: Shop, portions: int, events: int) -> Iterator[None]:
    """Orders come in, a portion after the other, until all are sold; never none while the block works."""

    def sell() -> None:
        for _ in range(portions):
            shop.sell(events)

    thread = threading.Thread(target=sell)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@any_broker
@pytest.mark.story
@pytest.mark.timeout(STORY_SECONDS)
def test_a_backup_of_a_working_up_goes_on_from_the_topic_on_an_empty_machine(
    shop: Shop, killer: Killer, faults: Faults, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FITTED_ONCE.items():
        monkeypatch.setenv(name, value)
    elsewhere = {"BRIDGECART_DATA_DIR": str(tmp_path / "elsewhere")}
    saved = tmp_path / "saved"
    with up(data_dir) as served:
        shop.sell(800)
        served.next_batch(after=0)
        with selling(shop, portions=30, events=20):
            done = killer.run("backup", str(saved), "--json")
        assert done.returncode == 0, done.stderr
        shop.sell(100)
        count = "select count(*) from raw.orders"
        wait_until(lambda: rows(warehouse_in(data_dir), count) == [(shop.sent,)], TAKEN_IN_SECONDS, "all is taken in")
        wait_until(lambda: not served.runs(statuses=["STARTED"]), TAKEN_IN_SECONDS, "the last run ends")
        would_be = digests(warehouse_in(data_dir))

    restored = killer.run("restore", str(saved), "--json", **elsewhere)
    assert restored.returncode == 0, restored.stderr
    said = json.loads(restored.stdout)
    assert 800 <= said["records"] < shop.sent
    assert said["warnings"] == []
    assert rows(warehouse_in(tmp_path / "elsewhere"), "select count(*) from raw.orders") == [(said["records"],)]
    done = killer.run("run", "--json", **elsewhere)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["records"] == shop.sent - said["records"]
    examined = killer.run("doctor", **elsewhere)
    assert (examined.returncode, "agree" in examined.stdout) == (0, True), examined.stdout
    faults.settle(
        "machine lost, backup put back on another",
        1,
        warehouse=warehouse_in(tmp_path / "elsewhere"),
        topic_id=topic_id(shop.connection),
        produced=shop.sent,
        tables=would_be,
    )


def test_killed_at_its_end_a_backup_is_complete_or_not_there(killer: Killer, filled: Warehouse, tmp_path: Path) -> None:
    prepare_home(load_settings())
    for moment, is_there in (("after commit", False), ("before rename", False), ("after rename", True)):
        assert killer.run_until(moment, "backup", str(tmp_path / "saved")).was_killed
        assert (tmp_path / "saved").exists() == is_there, moment
    (tmp_path / "copy").mkdir()
    read_backup(tmp_path / "saved").copy_to(tmp_path / "copy", lambda _: None)
    assert list(tmp_path.glob("saved.*")) == []


def test_killed_in_its_middle_a_restore_has_put_back_the_warehouse_or_changed_nothing(
    killer: Killer, filled: Warehouse, tmp_path: Path
) -> None:
    saved = str(tmp_path / "saved")
    assert killer.run("backup", saved).returncode == 0
    whole = digests(filled)
    with filled.transaction() as connection:
        connection.execute("delete from silver.orders where order_id = (select min(order_id) from silver.orders)")
    other = digests(filled)
    for moment, found in (("before replace", other), ("after replace", whole), ("before rename", whole)):
        assert killer.run_until(moment, "restore", saved, "--replace").was_killed
        assert digests(filled) == found, moment
    done = killer.run("restore", saved, "--replace")
    assert done.returncode == 0, done.stderr
    assert digests(filled) == whole
    assert not (filled.path.parent / "restoring").exists()
