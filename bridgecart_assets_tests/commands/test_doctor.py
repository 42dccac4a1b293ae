"""`bridgecart doctor` as a command; with a broker: `integration/test_doctor.py`."""

from pathlib import Path

from bridgecart_assets.warehouse.storage.database import Warehouse
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
