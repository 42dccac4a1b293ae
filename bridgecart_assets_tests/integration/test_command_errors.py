"""What goes wrong around the commands: one line that says what and what to do, an exit code, nothing half-written."""

import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Killer
from bridgecart_assets_tests.integration.processes import ROOT
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker
from bridgecart_assets_tests.support.state import digests, rows


class Says(Protocol):
    """A command fails with one line on standard error that has these words, and prints nothing else."""

    def __call__(
        self, arguments: list[str], *words: str, code: int = 1, settings: dict[str, str] | None = None
    ) -> None: ...


@pytest.fixture
def says(killer: Killer) -> Says:
    def check(arguments: list[str], *words: str, code: int = 1, settings: dict[str, str] | None = None) -> None:
        done = killer.run(*arguments, **(settings or {}))
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr
        assert "Traceback" not in done.stderr
        for word in words:
            assert word in done.stderr

    return check


@pytest.mark.parametrize("command", ["run", "generate"])
def test_without_a_broker_the_setting_is_named(says: Says, command: str) -> None:
    says([command], "No broker", "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", "bridgecart up")


def test_a_broker_that_does_not_answer_is_named(says: Says) -> None:
    unreachable = {"BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "BRIDGECART_KAFKA_TIMEOUT_SECONDS": "2"}
    says(["run"], "127.0.0.1:9", "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS", settings=unreachable)


def test_a_topic_that_is_not_there_is_named_with_those_that_are(says: Says, shop: Shop) -> None:
    says(["run"], "'nowhere'", "(it has orders-", settings={"BRIDGECART_KAFKA_TOPIC": "nowhere"})


@any_broker
def test_a_wrong_setting_is_named(says: Says, shop: Shop) -> None:
    says(["run"], "BRIDGECART_KPI_PERIOD", "month", settings={"BRIDGECART_KPI_PERIOD": "year"})


def test_kpis_before_the_first_run_say_what_to_do(says: Says) -> None:
    says(["kpis"], "bridgecart run")


def test_wrong_usage_exits_with_2(says: Says) -> None:
    says(["kpis", "--colour"], "--colour", code=2)


@any_broker
def test_a_data_directory_that_cannot_be_written_is_named(says: Says, shop: Shop, tmp_path: Path) -> None:
    in_its_place = tmp_path / "a-file"
    in_its_place.write_text("not a folder")
    for command in ("run", "up", "demo"):
        settings = {"BRIDGECART_DATA_DIR": str(in_its_place)}
        says([command], str(in_its_place), "BRIDGECART_DATA_DIR", settings=settings)
    assert in_its_place.read_text() == "not a folder"


@any_broker
def test_a_corrupt_warehouse_is_named_and_left_as_it_is(says: Says, shop: Shop, data_dir: Path) -> None:
    shop.sell(100)
    data_dir.mkdir()
    broken = data_dir / "bridgecart.duckdb"
    broken.write_bytes(b"this was a warehouse once" * 1000)
    before = broken.read_bytes()
    says(["run"], str(broken))
    assert broken.read_bytes() == before


@any_broker
def test_a_warehouse_that_another_process_holds_is_waited_for_then_the_holder_is_named(
    says: Says, killer: Killer, shop: Shop, warehouse: Warehouse
) -> None:
    shop.sell(1_000)
    assert killer.run("run").returncode == 0
    before = digests(warehouse)
    shop.sell(500)
    hold = (
        f"import duckdb, sys; c = duckdb.connect({str(warehouse.path)!r}); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        says(["run"], f"PID {holder.pid}", settings={"BRIDGECART_LOCK_TIMEOUT_SECONDS": "1"})
        holder.communicate()
    assert digests(warehouse) == before
    assert killer.run("run").returncode == 0
    assert rows(warehouse, "select count(*) from raw.orders") == [(1_500,)]


@any_broker
def test_a_failed_check_of_severity_error_ends_the_run_with_3(killer: Killer, shop: Shop) -> None:
    shop.sell_the_rest()
    assert killer.run("run").returncode == 0
    warehouse = warehouse_from_settings(load_settings())
    with warehouse.transaction() as connection:
        connection.execute(
            "insert into gold.segment_model select * replace (2 as version, 'proposed' as status, "
            "null as in_force_from) from gold.segment_model"
        )
    done = killer.run("run")
    assert done.returncode == 3, done.stderr
    assert "model_is_settled" in done.stdout
    assert "--accept-model" in done.stdout
    assert killer.run("run", "--accept-model").returncode == 0


@pytest.mark.parametrize(
    "command", [["dagster", "definitions", "validate", "-w", "workspace.yaml"], ["dg", "check", "defs"]]
)
def test_dagsters_own_commands_accept_the_definitions(command: list[str]) -> None:
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
