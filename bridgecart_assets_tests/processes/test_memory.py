from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.processes.memory import (
    BESIDE,
    LEAST,
    MOST,
    Bound,
    OutOfMemory,
    bound,
    duckdb_limit,
    kills,
    too_little,
)

GIGABYTE = 1024**3
V1_UNLIMITED = "9223372036854771712"


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")


def v2(root: Path, path: str, **files: str) -> None:
    """A tree as cgroup v2 has it."""
    write(root, **{"proc/self/cgroup": f"0::{path}"})
    write(root, **{f"sys/fs/cgroup{name}": text for name, text in files.items()})


def v1(root: Path, path: str, **files: str) -> None:
    """A tree as cgroup v1 has it, with other controllers and an empty v2 beside it."""
    write(root, **{"proc/self/cgroup": f"9:name=systemd:/\n4:cpu,memory:{path}\n1:cpuset:/other\n0::/"})
    write(root, **{f"sys/fs/cgroup/memory{name}": text for name, text in files.items()})


def test_without_control_groups_it_is_the_machines_memory(tmp_path: Path) -> None:
    assert bound(tmp_path).source == "the machine"
    assert bound(tmp_path).limit > 10**8
    assert kills(tmp_path) == 0


def test_a_container_has_the_smallest_limit_of_its_group_and_of_those_above(tmp_path: Path) -> None:
    files = {"/a/b/memory.max": "max", "/a/memory.max": str(GIGABYTE // 2), "/memory.max": str(GIGABYTE)}
    v2(tmp_path, "/a/b", **files)
    assert bound(tmp_path) == Bound(GIGABYTE // 2, "the container")


def test_a_container_that_sees_only_itself_finds_its_limit_at_the_top(tmp_path: Path) -> None:
    v2(tmp_path, "/../../docker/0123", **{"/memory.max": str(GIGABYTE)})
    assert bound(tmp_path) == Bound(GIGABYTE, "the container")


def test_version_1_is_read_too_and_its_unlimited_is_no_limit(tmp_path: Path) -> None:
    v1(tmp_path, "/docker/1", **{"/docker/1/memory.limit_in_bytes": V1_UNLIMITED})
    assert bound(tmp_path).source == "the machine"
    v1(tmp_path, "/docker/1", **{"/docker/1/memory.limit_in_bytes": str(GIGABYTE)})
    assert bound(tmp_path) == Bound(GIGABYTE, "the container")


@pytest.mark.parametrize(
    ("megabytes", "limit"),
    [(64_000, "1500MB"), (2_147, "1500MB"), (2_000, "1400MB"), (1_073, "473MB"), (512, "128MB"), (1, "128MB")],
)
def test_duckdb_gets_what_the_process_leaves_it_up_to_1500_megabytes(megabytes: int, limit: str) -> None:
    assert duckdb_limit(Bound(megabytes * 10**6, "the container")) == limit


@given(st.integers(0, 2**64))
def test_duckdbs_limit_is_never_absurd_and_never_more_than_is_left(available: int) -> None:
    limit = int(duckdb_limit(Bound(available, "the machine")).removesuffix("MB")) * 10**6
    assert LEAST <= limit <= MOST
    assert limit == LEAST or limit + BESIDE <= available


def test_who_needs_more_is_told_which_limit_it_is(tmp_path: Path) -> None:
    small = too_little("473MB", Bound(GIGABYTE, "the container"))
    assert small.startswith(
        "DuckDB needs more memory than its limit of 473MB; the container has 1,073 MB. Give it more"
    )
    large = too_little("1500MB", Bound(64 * GIGABYTE, "the machine"))
    assert "limit of 1500MB: raise BRIDGECART_MEMORY_LIMIT (the machine has 68,719 MB) or lower" in large
    assert "\n" not in small + large


@pytest.mark.parametrize("tree", [v1, v2])
def test_processes_that_the_kernel_killed_are_counted_and_noticed_once(tmp_path: Path, tree) -> None:
    name = "/a/memory.events" if tree is v2 else "/a/memory.oom_control"
    others = {name.removeprefix("/a"): "oom_kill 99"}
    tree(tmp_path, "/a", **others, **{name: "low 0\noom 7\noom_kill 2\noom_group_kill 0"})
    watch = OutOfMemory(tmp_path)
    assert kills(tmp_path) == 2
    assert not watch.has_killed()
    tree(tmp_path, "/a", **{name: "low 0\noom 9\noom_kill 3\noom_group_kill 0"})
    assert watch.has_killed()
    assert not watch.has_killed()
