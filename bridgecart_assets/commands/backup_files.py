"""`bridgecart backup`: what must be kept, as it is between two runs, in a folder."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import SecretStr

from bridgecart_assets.base.settings import PREFIX, PROPERTIES, Settings
from bridgecart_assets.commands.run_pipeline import Progress, settle_unfinished_runs
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.processes.run_lock import run_lock
from bridgecart_assets.warehouse.moving import in_one_file
from bridgecart_assets.warehouse.storage.backup_folder import Saved, new_backup

WAREHOUSE = "bridgecart.duckdb"
HOME = "dagster_home"
MAPPING = "mapping.toml"
FORGOTTEN = "forgotten_customers.json"
FOLDERS = ("published", "reports")
SINGLE_FILES = (FORGOTTEN, "alerts.json")
# Of the machine.
_OF_THE_MACHINE = frozenset({"data_dir", "kafka_bootstrap_servers", "report_url", "memory_limit", "mapping"})
_PARTIAL = ".partial"

Megabytes = Callable[[int, int], object]
"""Is told how many of how many MB are copied."""


@dataclass(frozen=True)
class BackedUp:
    """A backup that is complete; `has_records` if those of Dagster are in it."""

    folder: Path
    files: int
    size: int
    has_records: bool

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; the size in bytes."""
        return {**asdict(self), "folder": str(self.folder)}


def back_up(settings: Settings, folder: Path, *, progress: Progress, copied: Megabytes) -> BackedUp:
    """Copy warehouse, Dagster's records and what was made of them to a new folder, between two runs.

    The run lock holds back the sensor and other commands, not those who read. Raises BackupFailed, WarehouseMissing,
    WarehouseLocked, AlreadyRunning, BridgeCartError when a run of `bridgecart up` does not end in time.
    """
    from bridgecart_assets.orchestration.home_copy import has_records
    from bridgecart_assets.orchestration.instance import dagster_instance

    warehouse = Platform().warehouse
    warehouse.require()
    with dagster_instance(settings) as instance, run_lock(settings.data_dir):
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        home = settings.dagster_home if has_records(instance, settings.dagster_home) else None
        progress("copying")
        with in_one_file(warehouse) as whole, whole.standing_still() as file:
            files = _copy(settings, folder, file, home, copied)
    return BackedUp(folder, len(files), sum(saved.size for saved in files), home is not None)


def _copy(
    settings: Settings, folder: Path, warehouse: BinaryIO, home: Path | None, copied: Megabytes
) -> Sequence[Saved]:
    from bridgecart_assets.orchestration.home_copy import copy_home, size_of

    beside = list(_beside(settings))
    size = os.fstat(warehouse.fileno()).st_size + sum(path.stat().st_size for _, path in beside)
    size += 0 if home is None else size_of(home)
    with new_backup(
        folder,
        size=size,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("bridgecart"),
        settings=plain_settings(settings),
        copied=in_megabytes(size, copied),
    ) as backup:
        backup.add(WAREHOUSE, warehouse)
        for name, path in beside:
            with path.open("rb") as opened:
                backup.add(name, opened)
        if home is not None:
            copy_home(home, HOME, backup)
    return list(backup.files.values())


def plain_settings(settings: Settings) -> dict[str, str]:
    """The variables that are no secrets and no matter of the machine, with their values, empty where unset."""
    values = {name: getattr(settings, name) for name in sorted(Settings.model_fields)}
    return {
        f"{PREFIX}{name.upper()}": "" if value is None else str(value)
        for name, value in values.items()
        if name not in PROPERTIES | _OF_THE_MACHINE and not _is_secret(name)
    }


def _is_secret(name: str) -> bool:
    return SecretStr.__name__ in str(Settings.model_fields[name].annotation)


def _beside(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The other files, by their paths in the backup."""
    below = (path for folder in FOLDERS for path in sorted((settings.data_dir / folder).rglob("*")))
    for path in (*(settings.data_dir / name for name in SINGLE_FILES), *below):
        if path.is_file() and path.suffix != _PARTIAL:
            yield path.relative_to(settings.data_dir).as_posix(), path
    if settings.mapping is not None and settings.mapping.is_file():
        yield MAPPING, settings.mapping


def in_megabytes(size: int, copied: Megabytes) -> Callable[[int], None]:
    """A function that takes bytes and tells MB."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        copied(done // 1_000_000, size // 1_000_000)

    return count
