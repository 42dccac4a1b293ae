"""`bridgecart inspect --from FILE`: no broker, nothing stored. On a broker: `integration/test_inspect.py`."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bridgecart_assets_tests.support.command_line import Bridgecart, assert_one_line
from bridgecart_assets_tests.support.topics import exported

SAMPLES = Path(__file__).parents[2] / "samples"
MAPPINGS = SAMPLES / "mappings"


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


def tried(bridgecart: Bridgecart, file: str, mapping: str) -> dict[str, Any]:
    done = bridgecart("inspect", "--from", str(SAMPLES / file), "--mapping", str(MAPPINGS / mapping), "--json")
    assert done.code in (0, 3), done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def counted(found: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in found["events"].items() if count}


def test_a_mapping_is_tried_on_webhooks(bridgecart: Bridgecart, data_dir: Path) -> None:
    found = tried(bridgecart, "shopify-orders.ndjson", "shopify.toml")
    assert counted(found) == {
        "records": 6,
        "orders": 2,
        "refunds_in_orders": 1,
        "superseded": 2,
        "void": 1,
        "skipped": 1,
    }
    (month,) = found["months"]
    assert month == {"month": "2026-01", "orders": 2, "sales": 239.8, "refunds": -29.7, "net_sales": 210.1}
    assert not data_dir.exists()


def test_rejects_of_a_mapping_have_their_reasons_with_masked_examples(bridgecart: Bridgecart) -> None:
    found = tried(bridgecart, "nested-cents.ndjson", "nested-cents.toml")
    assert counted(found) == {"records": 8, "orders": 1, "superseded": 2, "void": 1, "skipped": 1, "rejected": 3}
    assert [(one["reason"], *one["examples"]) for one in found["rejections"]] == [
        (
            "bad_purchase_amount",
            "partition 0, offset 4: value.order.lines[].unit_cents = 9999, value.order.lines[].qty = aaa",
        ),
        ("missing_customer_id", "partition 0, offset 6: nothing there"),
        ("other_currency", "partition 0, offset 5: value.order.currency = aaa"),
    ]


def test_more_rejects_than_the_settings_bear_end_with_3(
    bridgecart: Bridgecart, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--from", str(SAMPLES / "history.csv"), "--mapping", str(MAPPINGS / "history.toml"))
    done = bridgecart("inspect", *arguments)
    assert done.code == 3
    assert done.err.startswith(
        "bridgecart: 25.0% of the records are rejected, more than 5.0% (BRIDGECART_MAX_REJECT_SHARE)"
    )
    assert "\n 2025-03        2   165.40      0.00      165.40" in done.out
    monkeypatch.setenv("BRIDGECART_MAX_REJECT_SHARE", "0.25")
    assert bridgecart("inspect", *arguments).code == 0


def test_a_dry_run_leaves_no_file_behind(
    bridgecart: Bridgecart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tried(bridgecart, "shopify-orders.ndjson", "shopify.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_mapping_that_cannot_be_used_is_one_line(bridgecart: Bridgecart, tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text('format = 1\n[order]\npurchase_amount = "now()"\n')
    assert_one_line(
        bridgecart("inspect", "--from", str(SAMPLES / "history.csv"), "--mapping", str(file)), "mapping.toml [order]"
    )
    assert_one_line(bridgecart("inspect", "--mapping", str(tmp_path / "none.toml")), "none.toml", code=2)
    assert_one_line(bridgecart("inspect", "--mapping", str(file), "--write", "new.toml"), "exclude each other", code=2)
