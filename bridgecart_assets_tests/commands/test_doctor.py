"""`bridgecart doctor` as a command; with a broker: `integration/test_doctor.py`."""

from pathlib import Path

import pytest

from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sources.mapping.records import SAMPLES
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line


def test_a_deep_look_at_a_damaged_warehouse_names_it_and_compares_nothing(
    bridgecart: Bridgecart, filled: Warehouse, data_dir: Path
) -> None:
    whole = bridgecart("doctor", "--deep")
    assert whole == bridgecart("doctor")
    content = bytearray(filled.path.read_bytes())
    for position in range(3 * 4096 + 100, len(content), 4096):
        content[position] ^= 1
    filled.path.write_bytes(content)
    done = bridgecart("doctor", "--deep", "--repair")
    assert done.code == 1
    assert "move it away and run `bridgecart run`" in done.out + done.err
    assert "What the topic still has could not be asked (No broker" in done.out + done.err
    assert "mended" not in done.out
    done = bridgecart("status")
    assert_one_line(done, "cannot be used (", "move it away", "What the topic still has could not be asked (No broker")


def test_the_mapping_of_the_topic_is_named_and_one_that_cannot_be_used_is_said_in_one_line(
    bridgecart: Bridgecart, filled: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGECART_MAPPING", str(SAMPLES / "mappings" / "flat.toml"))
    assert "note       settings: Records of the topic are read by flat.toml (" in bridgecart("doctor").out
    assert "Mapping        flat.toml (" in bridgecart("status").out
    monkeypatch.setenv("BRIDGECART_MAPPING", "missing.toml")
    says = "BRIDGECART_MAPPING: missing.toml: the file cannot be read (No such file or directory)"
    done = bridgecart("doctor")
    assert done.code == 1
    assert f"look here  settings: {says}" in done.out
    assert says in bridgecart("status").out
    done = bridgecart("run")
    assert done.code == 1
    assert_one_line(done, says)
