"""Customers of segments as files for other tools."""

import csv
import re
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.export_file import (
    Audience,
    Format,
    NothingToExport,
    Shape,
    export_customers,
    rows_for_spreadsheets,
)
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.publishing import copy_to_file
from bridgecart_assets_tests.sql.history import (
    Order,
    compute,
    spend_model,
    store_model,
    store_orders,
    store_purchase_model,
)
from bridgecart_assets_tests.support.examples import examples

FORMULA = "=HYPERLINK(1)"
# Texts with what begins a formula elsewhere than at the beginning.
HARMLESS = ("0b8f6f3e-5d1c-4f7e-9d0a-2f6c1f0a7c11", "CUST-001", "ann+shop@example.com", "a=b", 'two\nlines, "quoted"')
# As pandas and Excel do, the mark at the beginning is not part of the text.
ENCODING = "utf-8-sig"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Customers in two segments; one has an id that a spreadsheet would execute."""
    settings = Settings(data_dir=tmp_path / "data")
    warehouse = warehouse_from_settings(settings)
    store_orders(
        warehouse,
        [
            Order("C1", "2024-03-01T08:00:00", 10),
            Order("C2", "2024-03-02T08:00:00", 9_000),
            Order(FORMULA, "2024-03-03T08:00:00", 9_500),
            *(Order(customer, f"2024-03-0{day}T08:00:00", "19.28") for customer in HARMLESS for day in (3, 4)),
            *(Order(customer, "2024-03-05T08:00:00", "134.97") for customer in HARMLESS),
        ],
    )
    store_purchase_model(warehouse)
    store_model(warehouse, spend_model())
    compute(warehouse, settings)
    return settings


def segment_of(settings: Settings, customer: str) -> str:
    with warehouse_from_settings(settings).reading() as connection:
        sql = "select segment_key from gold.customer_segments where customer_id = ?"
        ((key,),) = connection.execute(sql, [customer]).fetchall()
    return str(key)


def exported(settings: Settings, segments: list[str], form: Format, target: Path) -> list[dict[str, object]]:
    written = export_customers(settings, Audience(segments), Shape(form), target)
    rows = duckdb.read_parquet(str(target)) if form == "parquet" else duckdb.read_csv(str(target))
    found: list[dict[str, object]] = rows.df().to_dict("records")
    assert len(found) == written.customers
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
    assert [row["customer_id"] for row in found] == sorted([FORMULA, "C1", "C2", *HARMLESS])
    export_customers(settings, Audience(), Shape("parquet"), second)
    assert first.read_bytes() == second.read_bytes()


def test_only_a_text_that_begins_like_a_formula_has_an_apostrophe_before_it_and_only_in_csv(
    settings: Settings, tmp_path: Path
):
    assert {row["customer_id"] for row in exported(settings, [], "parquet", tmp_path / "out.parquet")} == {
        *("C1", "C2", FORMULA),
        *HARMLESS,
    }
    export_customers(settings, Audience(), Shape("csv"), tmp_path / "out.csv")
    rows = read_csv(tmp_path / "out.csv")
    assert {row["customer_id"] for row in rows} == {"C1", "C2", f"'{FORMULA}", *HARMLESS}
    assert {row["segment"] for row in rows} == {"large", "small"}


def test_python_and_pandas_read_of_the_csv_what_is_in_the_parquet(settings: Settings, tmp_path: Path):
    export_customers(settings, Audience(), Shape("csv"), tmp_path / "out.csv")
    export_customers(settings, Audience(), Shape("parquet"), tmp_path / "out.parquet")
    stored = duckdb.read_parquet(str(tmp_path / "out.parquet"))
    written = [
        {
            name: f"'{FORMULA}" if value == FORMULA else str(value)
            for name, value in zip(stored.columns, row, strict=True)
        }
        for row in stored.fetchall()
    ]
    assert read_csv(tmp_path / "out.csv") == written
    assert pd.read_csv(tmp_path / "out.csv", dtype=str).to_dict("records") == written


def test_amounts_have_two_decimals(settings: Settings, tmp_path: Path):
    export_customers(settings, Audience(), Shape("csv"), tmp_path / "out.csv")
    for row in read_csv(tmp_path / "out.csv"):
        for name in ("net_sales", "average_order_value", "predicted_clv"):
            assert re.fullmatch(r"\d+\.\d\d", row[name]), (name, row[name])
    (row,) = [row for row in read_csv(tmp_path / "out.csv") if row["customer_id"] == "CUST-001"]
    # As a double it is 57.843333333333334.
    assert (row["net_sales"], row["average_order_value"]) == ("173.53", "57.84")


def test_csv_begins_with_a_byte_order_mark_for_spreadsheets(settings: Settings, tmp_path: Path):
    export_customers(settings, Audience(), Shape("csv"), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfcustomer_id,segment_key,")


@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=30))
@example(
    texts=[
        "=1",
        "+1",
        "-1",
        "@x",
        "\t=1",
        "\r=1",
        "1=1",
        "x-y",
        "",
        "'",
        "'=1",
        '"',
        ",",
        "\n",
        "a\r\nb",
        "\ufeff",
        " =1",
    ]
)
@examples(30)
def test_every_text_comes_back_from_csv_as_it_was_but_for_the_apostrophe_before_a_formula(texts: list[str]):
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.register("given", pa.table({"place": range(len(texts)), "text": texts}))
        rows = rows_for_spreadsheets(connection, "from given order by place")
        copy_to_file(connection, rows, Path(folder) / "out.csv", "format csv, header")
        by_python = [row["text"] for row in read_csv(Path(folder) / "out.csv")]
        by_pandas = pd.read_csv(Path(folder) / "out.csv", keep_default_na=False, dtype=str)
    expected = [f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text for text in texts]
    assert by_python == expected
    assert list(by_pandas["text"]) == expected
    assert list(by_pandas.columns) == ["place", "text"]


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(encoding=ENCODING, newline="") as text:
        return list(csv.DictReader(text))


def test_a_segment_that_nobody_is_in_is_named_with_those_that_there_are(settings: Settings, tmp_path: Path):
    with pytest.raises(NothingToExport, match=r"^No customer is in segment S77; there are S0\d(, S0\d)+\.$"):
        export_customers(settings, Audience(["S77"]), Shape(), tmp_path / "out.csv")
    assert list(tmp_path.glob("out*")) == []


def test_before_the_first_run_it_says_what_to_do(tmp_path: Path):
    with pytest.raises(NothingToExport, match="bridgecart run"):
        export_customers(Settings(data_dir=tmp_path), Audience(), Shape(), tmp_path / "out.csv")


def test_a_file_that_cannot_be_written_is_an_error_in_one_line(settings: Settings, tmp_path: Path):
    with pytest.raises(BridgeCartError, match=r"^Cannot write .*: name another file\.$"):
        export_customers(settings, Audience(), Shape("csv"), tmp_path / "missing" / "out.csv")
