"""What is relied on of Dagster beyond its public API, against its golden file: a change of theirs shows here first.

After reading what changed: `python -m bridgecart_assets_tests.orchestration.storage.test_dagster_internals`.
"""

import ast
import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import bridgecart_assets
from bridgecart_assets.orchestration.storage import dagster_internals
from bridgecart_assets.orchestration.storage.dagster_internals import INTERNALS, NO_COMPUTE_LOGS

GOLDEN = Path(__file__).parents[2] / "golden" / "dagster_internals.json"
REGENERATE = (
    "Dagster changed what is relied on: read what, then `python -m bridgecart_assets_tests.orchestration"
    ".storage.test_dagster_internals`"
)
PACKAGE = Path(bridgecart_assets.__file__).parent
MODULE = Path(dagster_internals.__file__)

FUNCTIONS = (
    "capture_interrupts",
    "configure_loggers",
    "create_daemons_from_instance",
    "daemon_controller_from_instance",
    "execute_run",
    "execute_sensor_iteration",
    "get_alembic_config",
    "get_python_environment_entry_point",
    "run_alembic_upgrade",
    "setup_interrupt_handlers",
)
# Classes whose constructor takes their fields.
FIELDS = (
    "CanCancelExecutionRequest",
    "CanCancelExecutionResult",
    "InstigatorState",
    "LoadableTargetOrigin",
    "RegisteredCodeLocationOrigin",
    "RemoteRepositoryOrigin",
    "SensorInstigatorData",
    "StepFailureData",
    "TableSlice",
    "WorkspaceFileTarget",
)
# What is called or overridden, by its signature.
CALLED: Mapping[str, tuple[str, ...]] = {
    "DagsterApiServer": ("__init__",),
    "DagsterGrpcClient": ("__init__", "can_cancel_execution", "get_server_id"),
    "DagsterGrpcServer": ("__init__", "serve"),
    "FuturesAwareThreadPoolExecutor": ("__init__",),
    "InstanceRef": ("from_dir",),
    "InstigatorState": ("with_data",),
    "QueuedRunCoordinatorDaemon": ("__init__",),
    "RemoteRepositoryOrigin": ("get_instigator_origin", "get_job_origin"),
    "SensorDaemon": ("__init__",),
    "SqlPollingEventWatcher": ("__init__", "close", "unwatch_run", "watch_run"),
    "SqliteRunStorage": ("_has_snapshot_id", "connect", "from_local"),
    "SqliteScheduleStorage": ("connect", "from_local"),
    "SqliteEventLogStorage": (
        "_connect",
        "_event_to_row",
        "_has_asset_key_col_on_connection",
        "_store_asset_event",
        "_store_asset_event_tags",
        "delete_events_for_run",
        "fetch_materializations",
        "free_concurrency_slots_for_run",
        "has_asset_key_col",
        "has_secondary_index",
        "has_table",
        "index_connection",
        "path_for_shard",
        "store_asset_check_event",
    ),
}
# What is replaced in a class of ours does what these do, apart from what its docstring says; runs are started by the
# `multiprocessing` context that ours replaces.
REPLACED: Mapping[str, tuple[str, ...]] = {
    "DagsterApiServer": ("StartRun",),
    "SensorDaemon": ("core_loop",),
    "SqliteEventLogStorage": ("delete_events", "dispose", "end_watch", "store_event", "upgrade", "watch", "wipe"),
    "SqliteRunStorage": ("has_execution_plan_snapshot",),
    "DagsterSqliteStorage": ("__init__", "from_config_value"),
}


def relied_on() -> dict[str, dict[str, str]]:
    """Signatures of what is called, and a digest of the source of what is replaced."""
    called = {f"{name}.{part}": _signature(_part(name, part)) for name, parts in CALLED.items() for part in parts}
    plain = {name: _signature(_internal(name)) for name in FUNCTIONS}
    fields = {name: ", ".join(_fields(_internal(name))) for name in FIELDS}
    members = {
        name: ", ".join(sorted(member.name for member in _internal(name)))
        for name in ("AssetCheckExecutionRecordStatus", "InstigatorType", "TickStatus")
    }
    columns = {
        name: ", ".join(_internal(name).columns.keys())
        for name in ("AssetCheckExecutionsTable", "AssetEventTagsTable", "SqlEventLogStorageTable")
    }
    events = {
        name: ", ".join(sorted(kind.value for kind in _internal(name)))
        for name in ("ASSET_CHECK_EVENTS", "ASSET_EVENTS", "EVENT_TYPE_TO_PIPELINE_RUN_STATUS", "FINISHED_STATUSES")
    }
    replaced = {f"{name}.{part}": _digest(_part(name, part)) for name, parts in REPLACED.items() for part in parts}
    return {
        "signatures": {**called, **plain},
        "members": {**members, **events, "INDEX_SHARD_NAME": _internal("INDEX_SHARD_NAME")},
        "columns": columns,
        "fields": fields,
        "replaced": replaced,
    }


def _internal(name: str) -> Any:
    return getattr(dagster_internals, name)


def _part(name: str, part: str) -> Any:
    return getattr(_internal(name), part)


def _fields(kind: Any) -> list[str]:
    """Of a named tuple; of a record, which has annotations only."""
    return list(getattr(kind, "_fields", None) or inspect.get_annotations(kind))


def _signature(function: Any) -> str:
    """Names and kinds of the parameters; annotations are for readers."""
    parameters = inspect.signature(function).parameters.values()
    return ", ".join(f"{p.kind.description}: {p.name}{'' if p.default is p.empty else ' = ...'}" for p in parameters)


def _digest(function: Any) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


def modules() -> Iterator[Path]:
    return (file for file in PACKAGE.rglob("*.py") if file != MODULE)


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def is_internal(module: str) -> bool:
    package, *parts = module.split(".")
    return package.startswith("dagster") and any(part.startswith("_") for part in parts)


def test_only_one_module_imports_what_dagster_keeps_to_itself() -> None:
    found = {
        (file.relative_to(PACKAGE).as_posix(), module)
        for file in modules()
        for module in imported(ast.parse(file.read_text(encoding="utf-8")))
        if is_internal(module)
    }
    assert found == set()


def test_no_other_module_names_an_internal_module_of_dagster_in_a_text() -> None:
    assert [file for file in modules() if "dagster._" in file.read_text(encoding="utf-8")] == []


def test_every_internal_is_there_has_a_reason_and_is_used() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in modules())
    for name, internal in INTERNALS.items():
        assert getattr(dagster_internals, name) is getattr(import_module(internal.module), name)
        assert internal.reason.endswith(".")
        assert name in text, f"{name} is no longer needed"


def test_types_and_values_come_from_the_same_places() -> None:
    typed = {
        alias.name: node.module
        for node in ast.walk(ast.parse(MODULE.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and is_internal(node.module or "")
        for alias in node.names
    }
    assert typed == {name: internal.module for name, internal in INTERNALS.items()}


def test_what_is_relied_on_is_as_it_was_when_it_was_read() -> None:
    assert relied_on() == json.loads(GOLDEN.read_text(encoding="utf-8")), REGENERATE


def test_the_class_that_captures_no_output_is_there() -> None:
    assert hasattr(import_module(NO_COMPUTE_LOGS["module"]), NO_COMPUTE_LOGS["class"])


def test_a_name_that_is_none_of_them_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'DagsterInstance'"):
        _ = dagster_internals.DagsterInstance  # type: ignore[attr-defined]


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(relied_on(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
