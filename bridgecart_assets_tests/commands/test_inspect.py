"""`bridgecart inspect --from FILE`: no broker, nothing stored. On a broker: `integration/test_inspect.py`."""

import json
import tomllib
from pathlib import Path

import pytest

from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line
from bridgecart_assets_tests.support.topics import exported

SAMPLES = Path(__file__).parents[1] / "samples"


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A shop's export."""
    file = tmp_path / "export.csv"
    file.write_text(exported(), encoding="utf-8")
    return file


def test_a_file_is_looked_at_without_a_broker_and_gets_a_mapping(
    bridgecart: Bridgecart, export: Path, tmp_path: Path, data_dir: Path
) -> None:
    done = bridgecart("inspect", "--from", str(export), "--write", str(tmp_path / "history.toml"))
    assert done.code == 0, done.err
    assert done.out.startswith("400 records of export.csv, the first of 400\nvalues: 400 JSON\n")
    assert tomllib.loads((tmp_path / "history.toml").read_text())["order"] == {
        "order_id": 'value."Order No"',
        "customer_id": "value.Customer",
        "purchase_date": 'value."Order Date"::timestamptz',
        "purchase_amount": "replace(replace(value.Total, '.', ''), ',', '.')",
        "discount_amount": "replace(replace(value.Discount, '.', ''), ',', '.')",
    }
    assert not data_dir.exists()


def test_as_many_rows_of_a_file_are_looked_at_as_asked_for(bridgecart: Bridgecart, export: Path) -> None:
    shown = json.loads(bridgecart("inspect", "--from", str(export), "--records", "7", "--json").out)
    assert (shown["records"], shown["values"]) == (7, {"JSON": 7})


@pytest.mark.parametrize(("name", "words"), [("nowhere.csv", "cannot be read"), ("orders.xlsx", "its name has to end")])
def test_a_file_that_cannot_be_read_is_one_line(bridgecart: Bridgecart, tmp_path: Path, name: str, words: str) -> None:
    if name == "orders.xlsx":
        (tmp_path / name).write_text("x")
    assert_one_line(bridgecart("inspect", "--from", str(tmp_path / name)), name, words)


def test_bridgecarts_own_events_have_no_mapping_to_write(bridgecart: Bridgecart, tmp_path: Path) -> None:
    file, target = tmp_path / "own.ndjson", tmp_path / "mapping.toml"
    file.write_text('{"customer_id": "C", "purchase_date": "2025-01-01", "purchase_amount": 1}\n')
    done = bridgecart("inspect", "--from", str(file), "--write", str(target))
    assert (done.code, "it needs no mapping" in done.out, target.exists()) == (2, True, False)


def test_a_file_with_a_mapping_that_is_there_stays(bridgecart: Bridgecart, tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text("mine")
    assert_one_line(bridgecart("inspect", "--write", str(tmp_path / "mapping.toml")), "is there already", code=2)
    assert (tmp_path / "mapping.toml").read_text() == "mine"
