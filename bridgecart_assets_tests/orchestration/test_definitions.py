"""The asset graph against its golden file, and what importing the definitions does not do.

After a wanted change: `python -m bridgecart_assets_tests.orchestration.test_definitions` rewrites the golden file.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from bridgecart_assets.contracts import TABLES, Contract
from bridgecart_assets.definitions import build_defs, defs
from bridgecart_assets.orchestration.asset_specs import KAFKA_ORDERS, REPORT, SEGMENT_CHANGES_TOPIC, asset_key

GOLDEN = Path(__file__).parents[1] / "golden" / "asset_graph.json"
REGENERATE = "rewrite it with `python -m bridgecart_assets_tests.orchestration.test_definitions`, review the change"
GRAPH = defs.resolve_asset_graph()
SPECS = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
KEYS = sorted(SPECS, key=lambda key: key.to_user_string())

# Runs before the import: notes every write, connection, process and read of a setting. Dagster itself comes first:
# one of its modules asks the `file` command what the interpreter is.
WATCHED_IMPORT = """
import os, sys
import dagster
seen = []
def watch(event, args):
    if event == "open":
        writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        if isinstance(args[2], int) and args[2] & writes:
            seen.append(f"opened {args[0]} for writing")
    elif event.startswith(("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "subprocess.",
                           "sqlite3.connect", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.system",
                           "os.posix_spawn", "os.fork", "shutil.", "tempfile.")):
        seen.append(f"{event} {args[0] if args else ''}")
sys.addaudithook(watch)
read = type(os.environ).__getitem__
def noted(environ, name):
    if name.startswith(("BRIDGECART_", "DAGSTER_HOME")):
        seen.append(f"read {name}")
    return read(environ, name)
type(os.environ).__getitem__ = noted
import bridgecart_assets.definitions
seen = list(seen)
print(len(bridgecart_assets.definitions.defs.resolve_all_asset_specs()))
print("\\n".join(seen))
"""


def test_the_asset_graph_is_that_of_the_golden_file():
    assert GOLDEN.is_file(), f"{GOLDEN} is missing: {REGENERATE}"
    assert _graph() == json.loads(GOLDEN.read_text(encoding="utf-8")), f"the asset graph changed: {REGENERATE}"


def test_importing_the_definitions_writes_nothing_connects_to_nothing_and_reads_no_setting(tmp_path: Path):
    # Settings that would fail if they were read, and a Dagster home that would appear if it were used.
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("BRIDGECART_", "DAGSTER_"))},
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DAGSTER_HOME": str(tmp_path / "dagster_home"),
        "BRIDGECART_DATA_DIR": str(tmp_path / "data"),
        "BRIDGECART_SEGMENTS": "not a number",
        "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED_IMPORT],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assets, *seen = done.stdout.split("\n")
    assert int(assets) == len(TABLES) + 3
    assert [line for line in seen if line] == []
    assert list(tmp_path.iterdir()) == []


def test_importing_the_definitions_loads_nothing_that_only_work_needs():
    heavy = {"sklearn", "scipy", "sqlalchemy", "faker", "altair", "vl_convert", "dagster_webserver"}
    program = f"import sys; import bridgecart_assets.definitions; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.to_user_string())
def test_every_asset_says_what_it_is_whose_it_is_and_where_it_belongs(key: dg.AssetKey):
    spec = SPECS[key]
    assert spec.description
    assert spec.description.endswith(".")
    assert spec.owners == ["team:bridgecart"]
    assert spec.kinds
    assert spec.group_name == key.path[0]


@pytest.mark.parametrize("contract", TABLES.values(), ids=lambda contract: contract.full_name)
def test_every_table_is_an_asset_and_shows_the_columns_of_its_contract(contract: Contract):
    spec = SPECS[asset_key(contract)]
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [(column.name, column.type) for column in schema.columns] == [
        (column.name, column.type) for column in contract.columns
    ]
    assert all(column.description for column in schema.columns)
    assert [column.constraints.nullable for column in schema.columns] == [
        column.nullable for column in contract.columns
    ]
    assert spec.metadata["dagster/table_name"] == contract.full_name
    assert spec.description == contract.meaning
    assert "duckdb" in spec.kinds


def test_what_people_look_at_is_expected_to_be_fresh_and_nothing_else_is():
    expected = {key for key in KEYS if key.path[0] in ("kpi", "report")}
    assert {key for key in KEYS if SPECS[key].freshness_policy is not None} == expected


def test_nothing_is_announced_until_somebody_switches_it_on():
    status = {sensor.name: sensor.default_status for sensor in defs.sensors or []}
    assert status == {
        "orders_sensor": dg.DefaultSensorStatus.RUNNING,
        "segment_changes_sensor": dg.DefaultSensorStatus.STOPPED,
        "alerts_sensor": dg.DefaultSensorStatus.RUNNING,
    }


def test_no_run_of_tables_writes_a_topic():
    assert {key for key in KEYS if not GRAPH.get(key).is_materializable} == {KAFKA_ORDERS, SEGMENT_CHANGES_TOPIC}
    assert set(KEYS) == {
        KAFKA_ORDERS,
        REPORT,
        SEGMENT_CHANGES_TOPIC,
        *(asset_key(contract) for contract in TABLES.values()),
    }


def test_tables_with_a_batch_column_are_partitioned_by_batch_and_no_others():
    partitioned = {key for key in KEYS if GRAPH.get(key).partitions_def is not None}
    assert partitioned == {asset_key(contract) for contract in TABLES.values() if contract.partitioned}


def test_every_call_builds_fresh_definitions():
    assert build_defs() is not build_defs()
    assert _graph(build_defs()) == _graph()


def test_every_step_takes_the_one_place_of_the_warehouse_pool():
    pools = {
        name
        for definition in [*(defs.assets or []), *(defs.asset_checks or [])]
        if isinstance(definition, dg.AssetsDefinition) and definition.is_executable
        for name in [definition.op.pool]
    }
    assert pools == {"duckdb"}


def _graph(definitions: dg.Definitions = defs) -> dict[str, Any]:
    """The asset graph as plain values, each list in an order of its own."""
    graph = definitions.resolve_asset_graph()
    checks = {key: graph.get(key) for key in graph.asset_check_keys}
    return {
        "assets": {key.to_user_string(): _asset(graph.get(key)) for key in KEYS},
        "checks": {
            f"{key.asset_key.to_user_string()}:{key.name}": {
                "blocking": node.blocking,
                "partitions": _partitions(node.partitions_def),
                "waits_for": sorted(parent.to_user_string() for parent in node.parent_entity_keys),
            }
            for key, node in sorted(checks.items(), key=lambda item: str(item[0]))
        },
        "jobs": {
            job.name: {
                "assets": sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys),
                "checks": len(job.asset_layer.asset_graph.asset_check_keys),
                "partitions": _partitions(job.partitions_def),
            }
            for job in sorted(definitions.resolve_all_job_defs(), key=lambda job: job.name)
            if not job.name.startswith("__")
        },
        "sensors": {
            sensor.name: {
                "job": sensor.job_name if sensor.targets else None,
                "default_status": sensor.default_status.value,
                "minimum_interval_seconds": sensor.minimum_interval_seconds,
            }
            for sensor in definitions.sensors or []
        },
    }


def _asset(node: Any) -> dict[str, Any]:
    return {
        "deps": sorted(key.to_user_string() for key in node.parent_keys),
        "group": node.group_name,
        "kinds": sorted(node.kinds),
        "partitions": _partitions(node.partitions_def),
        "writable": node.is_materializable,
    }


def _partitions(definition: dg.PartitionsDefinition[Any] | None) -> str | None:
    return definition.name if isinstance(definition, dg.DynamicPartitionsDefinition) else None


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(_graph(), indent=2) + "\n", encoding="utf-8")
