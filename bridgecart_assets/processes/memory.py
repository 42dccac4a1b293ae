"""The memory there is: the machine's, or less where a container (a control group of Linux) has a limit."""

import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEGABYTE = 1_000_000
# For DuckDB where there is plenty: more makes nothing faster.
MOST = 1_500 * MEGABYTE
# `BRIDGECART_MEMORY_LIMIT=128MB bridgecart demo` still ends well.
LEAST = 128 * MEGABYTE
# For the process around DuckDB, 400 MB, and for Dagster's code server that started it.
BESIDE = 600 * MEGABYTE
ROOT = Path("/")
_NEW_OBJECTS = 50_000


@dataclass(frozen=True)
class Bound:
    """The most memory that a process can have, bytes, and who says so."""

    limit: int
    source: str

    def __str__(self) -> str:
        return f"{self.source} has {self.limit // MEGABYTE:,} MB"


def bound(root: Path = ROOT) -> Bound:
    """The smallest limit of this process's control groups, or the machine's memory."""
    machine = Bound(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "the machine")
    limits = [
        Bound(int(text), "the container")
        for folder in _groups(root)
        for text in (_read(folder / "memory.max"), _read(folder / "memory.limit_in_bytes"))
        if text.isdecimal()
    ]
    return min([machine, *limits], key=lambda found: found.limit)


def duckdb_limit(found: Bound) -> str:
    """DuckDB's share of this memory, unless the settings say otherwise."""
    return f"{max(LEAST, min(MOST, found.limit - BESIDE)) // MEGABYTE}MB"


@cache
def default_limit() -> str:
    """DuckDB's memory limit on this machine."""
    return duckdb_limit(bound())


def too_little(limit: str, found: Bound) -> str:
    """The remedy where DuckDB needed more than this limit of its own."""
    if found.limit - BESIDE < MOST:
        return (
            f"DuckDB needs more memory than its limit of {limit}; {found}. Give it more memory, or lower "
            "BRIDGECART_MAX_BATCH_RECORDS, and run again; nothing was changed. BRIDGECART_MEMORY_LIMIT sets the limit."
        )
    return (
        f"DuckDB needs more memory than its limit of {limit}: raise BRIDGECART_MEMORY_LIMIT ({found}) or lower "
        "BRIDGECART_MAX_BATCH_RECORDS, and run again; nothing was changed."
    )


def kills(root: Path = ROOT) -> int:
    """Number of processes of this container that the kernel killed for want of memory; 0 where it does not say.

    Of the group itself: those above it may count the processes of others.
    """
    for folder in _groups(root):
        said = _read(folder / "memory.events") or _read(folder / "memory.oom_control")
        counts = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
        if "oom_kill" in counts:
            return int(counts["oom_kill"])
    return 0


class OutOfMemory:
    """Notices that the kernel killed a process of this container for want of memory."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._kills = kills(root)

    def has_killed(self) -> bool:
        """True if it did since the last call."""
        before, self._kills = self._kills, kills(self._root)
        return self._kills > before


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's control groups for memory, and of all above them."""
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            top = root / "sys" / "fs" / "cgroup" / ("" if controllers == "" else "memory")
            # A container may not see the folders above its own, and then its own is at the top.
            own = top.joinpath(*(part for part in path.split("/") if part not in ("", "..")))
            yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        # No such control group, or another system than Linux.
        return ""


def seek_garbage_rarely() -> None:
    """Have Python look for cycles after many new objects, not after 700: of what an import makes nothing is garbage.

    Looking takes a fifth of the time of importing Dagster, and a fortieth of that of a small run.
    """
    gc.set_threshold(_NEW_OBJECTS)
