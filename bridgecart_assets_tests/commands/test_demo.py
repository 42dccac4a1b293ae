"""The data directories that `bridgecart demo` does not replace; with a broker: `integration/`."""

from pathlib import Path

from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line, content


def test_the_demo_does_not_replace_orders_of_another_cluster(
    bridgecart: Bridgecart, filled: Warehouse, data_dir: Path
) -> None:
    before = filled.path.read_bytes(), content(data_dir / "published")
    assert_one_line(bridgecart("demo"), "another Kafka cluster", "set BRIDGECART_DATA_DIR to another folder")
    assert (filled.path.read_bytes(), content(data_dir / "published")) == before


def test_the_demo_does_not_replace_a_list_of_forgotten_customers_whose_warehouse_is_lost(
    bridgecart: Bridgecart, data_dir: Path
) -> None:
    data_dir.mkdir()
    listed = data_dir / "forgotten_customers.json"
    listed.write_text('{"customers": [], "value": []}')
    assert_one_line(bridgecart("demo", "--orders", "10"), "a list of forgotten customers", "BRIDGECART_DATA_DIR")
    assert listed.exists()
