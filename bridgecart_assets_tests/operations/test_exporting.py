"""Customers of segments as files for other tools."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from bridgecart_assets.errors import BridgeCartError
from bridgecart_assets.operations.exporting import Format, NothingToExport, export_customers
from bridgecart_assets.settings import Settings
from bridgecart_assets.warehouse.database import Warehouse
from bridgecart_assets_tests.sql.history import (
    Order,
    compute,
    spend_model,
    store_model,
    store_orders,
    store_purchase_model,
)

FORMULA = "=HYPERLINK(1)"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Three customers in two segments; one has an id that a spreadsheet would execute."""
    settings = Settings(data_dir=tmp_path / "data")
    warehouse = Warehouse.from_settings(settings)
    store_orders(
        warehouse,
        [
            Order("C1", "2024-03-01T08:00:00", 10),
            Order("C2", "2024-03-02T08:00:00", 9_000),
            Order(FORMULA, "2024-03-03T08:00:00", 9_500),
        ],
    )
    store_purchase_model(warehouse)
    store_model(warehouse, spend_model())
    compute(warehouse, settings)
    return settings


def segment_of(settings: Settings, customer: str) -> str:
    with Warehouse.from_settings(settings).reading() as connection:
        sql = "select segment_key from gold.customer_segments where customer_id = ?"
        ((key,),) = connection.execute(sql, [customer]).fetchall()
    return str(key)


def exported(settings: Settings, segments: list[str], form: Format, target: Path) -> list[dict[str, object]]:
    count = export_customers(settings, segments, form, target)
    rows = duckdb.read_parquet(str(target)) if form == "parquet" else duckdb.read_csv(str(target))
    found: list[dict[str, object]] = rows.df().to_dict("records")
    assert len(found) == count
    return found


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_customers_of_a_segment_are_written_with_value_and_dates(settings: Settings, tmp_path: Path, form: Format):
    target = tmp_path / f"out.{form}"
    high = segment_of(settings, "C2")
    assert segment_of(settings, "C1") != high
    found = exported(settings, [high], form, target)
    assert {row["customer_id"] for row in found} == {"C2", FORMULA if form == "parquet" else f"'{FORMULA}"}
    (second,) = [row for row in found if row["customer_id"] == "C2"]
    assert (second["segment_key"], float(str(second["net_sales"])), second["orders"]) == (high, 9_000.0, 1)
    assert str(second["last_purchased_on"])[:10] == str(date(2024, 3, 2))
    assert not {"name", "mobile"} & second.keys()


def test_without_a_segment_everybody_is_written_in_a_stable_order(settings: Settings, tmp_path: Path):
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    found = exported(settings, [], "parquet", first)
    assert [row["customer_id"] for row in found] == [FORMULA, "C1", "C2"]
    export_customers(settings, [], "parquet", second)
    assert first.read_bytes() == second.read_bytes()


def test_a_segment_that_nobody_is_in_is_named_with_those_that_there_are(settings: Settings, tmp_path: Path):
    with pytest.raises(NothingToExport, match=r"^No customer is in segment S77; there are S0\d(, S0\d)+\.$"):
        export_customers(settings, ["S77"], "csv", tmp_path / "out.csv")
    assert list(tmp_path.glob("out*")) == []


def test_before_the_first_run_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(NothingToExport, match="bridgecart run"):
        export_customers(Settings(data_dir=tmp_path), [], "csv", tmp_path / "out.csv")


def test_a_file_that_cannot_be_written_is_an_error_in_one_line(settings: Settings, tmp_path: Path):
    with pytest.raises(BridgeCartError, match=r"^Cannot write .*: name another file\.$"):
        export_customers(settings, [], "csv", tmp_path / "missing" / "out.csv")
