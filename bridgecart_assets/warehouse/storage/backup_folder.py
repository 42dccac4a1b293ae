"""A backup as a folder: files, and a manifest that says how large each is and what its digest is.

The folder is there with everything in it, or it is not there. What belongs elsewhere: what is worth keeping, and when
it stands still (`commands/backup_files.py`).
"""

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.warehouse.storage.migrations import MIGRATIONS

MANIFEST = "manifest.json"
# Of the folder and its manifest, not of the tables in it.
_FORM = 1
_CHUNK = 4 * 1024 * 1024
_ABOUT = "A backup of BridgeCart: `bridgecart restore` puts it back. It holds personal data."

Copied = Callable[[int], object]
"""Is told of bytes that were copied."""


class BackupFailed(BridgeCartError):
    """The backup cannot be written, or not be copied back; nothing of it is left."""


class BackupUnusable(BridgeCartError):
    """The folder is no backup, a damaged one, or one of a later version; nothing was changed."""


@dataclass(frozen=True)
class Saved:
    """A file of a backup: its size and SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Backup:
    """A backup as its manifest describes it.

    Attributes:
        folder: where the files are.
        made_at: when, UTC, ISO 8601.
        version: of the BridgeCart that made it.
        settings: variables with their values, empty where unset; none of them is a secret.
        files: by path below the folder.

    """

    folder: Path
    made_at: str
    version: str
    settings: Mapping[str, str]
    files: Mapping[str, Saved]

    @property
    def size(self) -> int:
        """Size of all files, bytes."""
        return sum(saved.size for saved in self.files.values())

    def require_files(self) -> None:
        """Raise BackupUnusable where a file is missing or has another size; a digest takes reading all of it."""
        for name, saved in self.files.items():
            file = self.folder / name
            if not file.is_file() or file.stat().st_size != saved.size:
                raise _damaged(file)

    def copy_to(self, folder: Path, copied: Copied) -> None:
        """Copy every file to an empty folder. Raises BackupUnusable where one is not what was saved, BackupFailed."""
        require_room(folder, self.size)
        try:
            for name, saved in self.files.items():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with (self.folder / name).open("rb") as file:
                    if _copy(file, target, copied) != saved:
                        raise _damaged(self.folder / name)
        except OSError as error:
            raise BackupFailed(
                f"Cannot copy the backup to {folder.parent} ({_why(error)}): make room for it and make it writable; "
                "nothing was changed."
            ) from error


@dataclass
class NewBackup:
    """A backup that is being written."""

    folder: Path
    copied: Copied
    files: dict[str, Saved] = field(default_factory=dict)

    def add(self, name: str, file: BinaryIO) -> None:
        """Copy an open file to this path."""
        target = self._place(name)
        self.files[name] = _copy(file, target, self.copied)

    def add_written(self, name: str, write: Callable[[Path], None]) -> None:
        """A file that is written by a function, which takes its path."""
        target = self._place(name)
        write(target)
        with target.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256")
            os.fsync(file)
        self.files[name] = Saved(target.stat().st_size, digest.hexdigest())
        self.copied(self.files[name].size)

    def _place(self, name: str) -> Path:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


@contextmanager
def new_backup(
    folder: Path, *, size: int, made_at: str, version: str, settings: Mapping[str, str], copied: Copied
) -> Iterator[NewBackup]:
    """A backup to add files to; the folder is there at the end, unless the work raises.

    `size` is about what it needs, bytes. Raises BackupFailed when the folder has something in it, or there is no room.
    """
    folder = folder.absolute()
    partial = folder.with_name(f"{folder.name}.partial")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise BackupFailed(f"{folder} is there already: name a folder that is not.")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True, mode=0o700)
        require_room(partial, size)
        backup = NewBackup(partial, copied)
        yield backup
        _write_manifest(backup, {"made_at": made_at, "bridgecart": version, "settings": dict(settings)})
        partial.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise BackupFailed(
            f"Cannot write the backup {folder} ({_why(error)}): make room for it and make it writable."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def read_backup(folder: Path) -> Backup:
    """The backup in this folder, with every file as large as its manifest says. Raises BackupUnusable."""
    try:
        backup = _from_manifest(folder, json.loads((folder / MANIFEST).read_bytes()))
    except FileNotFoundError:
        raise BackupUnusable(f"{folder} is no backup: it has no {MANIFEST}.") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        why = _why(error) if isinstance(error, OSError) else type(error).__name__
        raise BackupUnusable(f"{folder / MANIFEST} cannot be read ({why}): the backup is damaged.") from error
    if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in backup.files):
        raise BackupUnusable(f"{folder / MANIFEST} names files outside of its folder: it was tampered with.")
    backup.require_files()
    return backup


def _from_manifest(folder: Path, said: dict[str, Any]) -> Backup:
    version = str(said["bridgecart"])
    if int(said["form"]) > _FORM or int(said["layout"]) > len(MIGRATIONS):
        raise BackupUnusable(f"{folder} was made by BridgeCart {version}, which is later: install that version.")
    return Backup(
        folder,
        made_at=str(said["made_at"]),
        version=version,
        settings={str(name): str(value) for name, value in said["settings"].items()},
        files={str(name): Saved(int(size), str(sha256)) for name, size, sha256 in said["files"]},
    )


def require_room(folder: Path, size: int) -> None:
    """Raise BackupFailed when the disk of the folder has not so many bytes left."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise BackupFailed(f"No room in {folder.parent}: it takes {_megabytes(size)}, and {_megabytes(free)} are free.")


def _write_manifest(backup: NewBackup, about: Mapping[str, object]) -> None:
    files = [[name, saved.size, saved.sha256] for name, saved in sorted(backup.files.items())]
    said = {"about": _ABOUT, "form": _FORM, "layout": len(MIGRATIONS), **about, "files": files}
    with (backup.folder / MANIFEST).open("x", encoding="utf-8") as file:
        file.write(json.dumps(said, indent=1) + "\n")
        file.flush()
        os.fsync(file)
    for folder in {backup.folder, *((backup.folder / name).parent for name in backup.files)}:
        sync_folder(folder)


def _copy(file: BinaryIO, target: Path, copied: Copied) -> Saved:
    """Copy an open file in one reading, to the disk itself; its size and digest."""
    digest = hashlib.sha256()
    size = 0
    with target.open("xb") as out:
        os.fchmod(out.fileno(), stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
            size += len(chunk)
            copied(len(chunk))
        out.flush()
        os.fsync(out)
    return Saved(size, digest.hexdigest())


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _damaged(file: Path) -> BackupUnusable:
    return BackupUnusable(f"{file} is not the file that was saved: take another backup, this one is damaged.")


def _why(error: OSError) -> str:
    return error.strerror or str(error)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
