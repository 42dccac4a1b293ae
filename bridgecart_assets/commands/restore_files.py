"""`bridgecart restore`: a backup takes the place of what is in the data directory, or of nothing."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Any

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import PREFIX, Settings
from bridgecart_assets.commands.backup_files import (
    FOLDERS,
    FORGOTTEN,
    HOME,
    MAPPING,
    SINGLE_FILES,
    WAREHOUSE,
    Megabytes,
    in_megabytes,
    plain_settings,
)
from bridgecart_assets.commands.run_pipeline import Progress, settle_unfinished_runs
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.processes.run_lock import run_lock, serve_lock
from bridgecart_assets.warehouse.from_settings import spark_from_settings
from bridgecart_assets.warehouse.inventory import read_standing
from bridgecart_assets.warehouse.lake.heads import Head, read_heads
from bridgecart_assets.warehouse.moving import lake_in_reach, remove_lake
from bridgecart_assets.warehouse.storage.backup_folder import Backup, BackupUnusable, read_backup, sync_folder
from bridgecart_assets.warehouse.storage.database import Warehouse, WarehouseError
from bridgecart_assets.warehouse.storage.forgotten_list import ForgottenList

_RESTORING = "restoring"
_COUNTS = "what is set here counts."


class WarehouseInTheWay(BridgeCartError):
    """The data directory has a warehouse already."""


@dataclass(frozen=True)
class Restored:
    """A backup that is in its place.

    Attributes:
        made_at: when it was made.
        batches: in the warehouse now.
        records: of these batches.
        warnings: sentences on what a person has to see to.

    """

    made_at: str
    batches: int
    records: int
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


def restore_backup(
    settings: Settings, folder: Path, *, replace: bool, progress: Progress, copied: Megabytes
) -> Restored:
    """Copy a backup beside what is in the data directory, then put it in its place.

    Killed before the warehouse is in its place, nothing has changed; after it, the warehouse is the one of the backup,
    whose other files the next runs write anew, or the same command with `replace`. Raises BackupUnusable, BackupFailed,
    WarehouseInTheWay, ForgottenListUnusable, AlreadyRunning when another command or `bridgecart up` is at work.
    """
    backup = read_backup(folder)
    if WAREHOUSE not in backup.files:
        raise BackupUnusable(f"{folder} has no warehouse in it: name another backup.")
    warehouse = Platform().warehouse
    if warehouse.exists and not replace:
        raise WarehouseInTheWay(
            f"There is a warehouse at {warehouse.path}: give --replace to lose it, or set BRIDGECART_DATA_DIR."
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with serve_lock(settings.data_dir), run_lock(settings.data_dir), ExitStack() as stack:
        keeps_home = _is_home_on_a_server(settings, progress)
        fresh = settings.data_dir / _RESTORING
        stack.callback(shutil.rmtree, fresh, ignore_errors=True)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        progress("copying and comparing digests")
        backup.copy_to(fresh, in_megabytes(backup.size, copied))
        _merge_forgotten(settings, fresh)
        heads, spark = _known_heads(warehouse), spark_from_settings(settings)
        if heads:
            # Before anything is replaced, because without it the tables would stay there.
            stack.enter_context(lake_in_reach(spark))
        warehouse.give_way_to(fresh / WAREHOUSE)
        if heads:
            remove_lake(spark, heads)
        _put_the_rest(settings, fresh, keeps_home=keeps_home)
        sync_folder(settings.data_dir)
    standing = read_standing(warehouse)
    warnings = [*_of_settings(settings, backup), *_of_mapping(settings, backup), *_of_home(backup, keeps_home)]
    return Restored(backup.made_at, standing.batches, standing.records, warnings)


def _is_home_on_a_server(settings: Settings, progress: Progress) -> bool:
    """True if Dagster keeps its records elsewhere; after the runs that it knows of have ended."""
    if not settings.dagster_home.is_dir():
        return False
    from bridgecart_assets.orchestration.home_copy import has_records
    from bridgecart_assets.orchestration.instance import dagster_instance

    with dagster_instance(settings) as instance:
        settle_unfinished_runs(instance, seconds=settings.run_wait_seconds, progress=progress)
        return not has_records(instance, settings.dagster_home)


def _known_heads(warehouse: Warehouse) -> Mapping[str, Head]:
    """The heads of the lake, where it is known to be that of this warehouse: it could be another's."""
    try:
        # Nobody is to be forgotten in what is about to go.
        with with_changes(warehouse, forget_again=None).reading() as connection:
            return read_heads(connection)
    except WarehouseError:
        # None there, or one that has to be restored because it cannot be read.
        return {}


def _merge_forgotten(settings: Settings, fresh: Path) -> None:
    """Let the list beside the warehouse say whom the backup has forgotten, too; it is never put back an older one."""
    saved, here = ForgottenList.beside(fresh / WAREHOUSE), ForgottenList.beside(settings.warehouse_path)
    if saved is None:
        return
    if here is not None:
        here.require_same_salt(saved)
        saved = here.merged(saved)
    (fresh / FORGOTTEN).unlink()
    saved.write(fresh / WAREHOUSE)
    # Before the warehouse: a list that is ahead of it is caught up with, one behind it is not.
    (fresh / FORGOTTEN).replace(settings.data_dir / FORGOTTEN)


def _put_the_rest(settings: Settings, fresh: Path, *, keeps_home: bool) -> None:
    from bridgecart_assets.orchestration.instance import remove_home

    if not keeps_home and (fresh / HOME).is_dir():
        remove_home(settings)
        (fresh / HOME).rename(settings.dagster_home)
    for name in FOLDERS:
        shutil.rmtree(settings.data_dir / name, ignore_errors=True)
        if (fresh / name).is_dir():
            (fresh / name).rename(settings.data_dir / name)
    for name in SINGLE_FILES:
        if (fresh / name).is_file():
            (fresh / name).replace(settings.data_dir / name)


def _of_settings(settings: Settings, backup: Backup) -> Iterator[str]:
    here = plain_settings(settings)
    for name, value in backup.settings.items():
        now = here.get(name, value)
        if now != value:
            yield f"{name} was {value or 'not set'} when it was saved, and is {now or 'not set'}: {_COUNTS}"


def _of_mapping(settings: Settings, backup: Backup) -> Iterator[str]:
    if MAPPING not in backup.files:
        return
    saved = backup.folder / MAPPING
    if settings.mapping is None or settings.mapping.read_bytes() != saved.read_bytes():
        yield f"Records were read by the mapping {saved}: copy it and set {PREFIX}MAPPING to it."


def _of_home(backup: Backup, keeps_home: bool) -> Iterator[str]:
    if keeps_home or not any(name.startswith(f"{HOME}/") for name in backup.files):
        yield "Dagster's records are not those of the backup: `bridgecart doctor --repair` brings them into line."
