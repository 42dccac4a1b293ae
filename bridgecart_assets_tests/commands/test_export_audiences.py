"""Audiences as files: who is chosen, hashed ids, and the files of two tools."""

import csv
import hashlib
import random
import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.export import export
from bridgecart_assets.commands.export_file import Audience, Exported, Shape, export_customers
from bridgecart_assets.commands.export_tools import TOOLS
from bridgecart_assets.contracts import AUDIENCES
from bridgecart_assets.contracts.lifecycles import LIFECYCLES
from bridgecart_assets.warehouse.erasure import erase_customers, publish_customers
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.publishing import publish, published_path
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.sql.history import (
    Order,
    compute_features,
    spend_model,
    store_model,
    store_orders,
    store_purchase_model,
)
from bridgecart_assets_tests.support.examples import examples

FORMULA = "=HYPERLINK(1)"
TODAY = date(2025, 6, 30)
EVERYBODY = Audience()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Customers of every lifecycle in two segments, some of whom never bought, and whose values meet."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("audiences"))
    warehouse = warehouse_from_settings(settings)
    draw = random.Random(7)
    ago = [draw.sample(range(200), draw.randint(1, 6)) for _ in range(60)]
    orders = [
        Order(f"C{number // 2:02}{number % 2}", (TODAY - timedelta(days=days)).isoformat(), 20 if number % 3 else 900)
        # Two of a kind.
        for number in range(120)
        for days in ago[number // 2]
    ]
    refunds = [Order(f"R{number}", TODAY.isoformat(), -number // 2) for number in range(1, 6)]
    store_orders(warehouse, [*orders, *refunds, Order(FORMULA, TODAY.isoformat(), 900)])
    store_purchase_model(warehouse)
    store_model(warehouse, spend_model())
    compute_features(warehouse, settings)
    publish(warehouse, AUDIENCES, settings.published_dir)
    return settings


@pytest.fixture(scope="module")
def published(shop: Settings) -> pd.DataFrame:
    return pd.read_parquet(published_path(shop.published_dir, AUDIENCES))


def picked(published: pd.DataFrame, audience: Audience) -> list[str]:
    """Whom somebody would pick from the published file, without its rank; best first."""
    rows = published
    if audience.segments:
        rows = rows[rows["segment_key"].isin(audience.segments)]
    if audience.lifecycles:
        rows = rows[rows["lifecycle"].isin(audience.lifecycles)]
    if audience.at_risk:
        rows = rows[rows["lifecycle"] == "at risk"]
    has_value = rows[rows["predicted_clv"].notna()]
    best = [
        *has_value.sort_values(["predicted_clv", "customer_id"], ascending=[False, True])["customer_id"],
        *rows[rows["predicted_clv"].isna()].sort_values(["net_sales", "customer_id"], ascending=[False, True])[
            "customer_id"
        ],
    ]
    return best[: audience.top]


def exported(shop: Settings, audience: Audience, target: Path) -> tuple[Exported, pd.DataFrame]:
    written = export_customers(shop, audience, Shape("parquet"), target)
    return written, pd.read_parquet(target)


def read_csv(file: Path, encoding: str) -> list[dict[str, str]]:
    with file.open(encoding=encoding, newline="") as text:
        return list(csv.DictReader(text))


def test_the_shop_has_what_the_tests_are_about(published: pd.DataFrame):
    assert set(published["lifecycle"].dropna()) == set(LIFECYCLES)
    assert published["segment_key"].nunique() == 3
    assert published["predicted_clv"].isna().sum() == 5
    assert published["predicted_clv"].duplicated().any()
    at_risk = published[published["lifecycle"] == "at risk"]
    assert (at_risk["value_at_risk"] == at_risk["predicted_clv"]).all()
    assert float(at_risk["value_at_risk"].sum()) == float(published["value_at_risk"].sum()) > 0


@given(
    segments=st.lists(st.sampled_from(["S01", "S02", "unassigned"]), max_size=2),
    lifecycles=st.lists(st.sampled_from(LIFECYCLES), max_size=3),
    at_risk=st.booleans(),
    top=st.none() | st.integers(1, 130),
)
@examples(40)
def test_an_export_has_whom_somebody_would_pick_from_the_published_file(
    shop: Settings,
    published: pd.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
    segments: Sequence[str],
    lifecycles: Sequence[str],
    at_risk: bool,
    top: int | None,
):
    audience = Audience(segments, lifecycles, at_risk=at_risk, top=top)
    written, found = exported(shop, audience, tmp_path_factory.getbasetemp() / "audience.parquet")
    expected = picked(published, audience)
    assert list(found["customer_id"]) == (expected if top else sorted(expected))
    rows = published.set_index("customer_id").loc[found["customer_id"]]
    for name in ("segment_key", "segment", "lifecycle", "net_sales", "predicted_clv", "value_at_risk", "value_rank"):
        pd.testing.assert_series_equal(found[name], rows[name].reset_index(drop=True), check_dtype=False)
    assert written == Exported(len(expected), int(found["predicted_clv"].isna().sum()))


@pytest.mark.parametrize("tool", [None, *TOOLS])
def test_hashed_ids_stand_in_the_place_of_the_ids(shop: Settings, tmp_path: Path, tool: str | None):
    kind = TOOLS[tool] if tool else None
    export_customers(shop, EVERYBODY, Shape("csv", hashed=True, tool=kind), tmp_path / "hashed.csv")
    export_customers(shop, EVERYBODY, Shape("csv", tool=kind), tmp_path / "plain.csv")
    hashed, plain = (read_csv(tmp_path / name, "utf-8-sig") for name in ("hashed.csv", "plain.csv"))
    column, id_column = next(iter(hashed[0])), next(iter(plain[0]))
    assert id_column == (column if tool else "customer_id")
    ids = [row.pop(id_column).removeprefix("'") for row in plain]
    assert [row.pop(column) for row in hashed] == [hashlib.sha256(customer.encode()).hexdigest() for customer in ids]
    assert hashed == plain
    assert "C001" not in (tmp_path / "hashed.csv").read_text(encoding="utf-8")


def test_braze_gets_attributes_of_its_types_by_external_id(shop: Settings, tmp_path: Path):
    export_customers(shop, EVERYBODY, Shape(tool=TOOLS["braze"]), tmp_path / "braze.csv")
    rows = read_csv(tmp_path / "braze.csv", "utf-8")
    assert list(rows[0]) == [
        "external_id",
        *("bridgecart_segment_key", "bridgecart_segment", "bridgecart_lifecycle", "bridgecart_predicted_clv"),
        *("bridgecart_value_at_risk", "bridgecart_last_purchased_on", "bridgecart_as_of"),
    ]
    for row in rows:
        assert re.fullmatch(r"(\d+\.\d\d)?", row["bridgecart_predicted_clv"])
        assert re.fullmatch(r"2025-07-01", row["bridgecart_as_of"])
        assert re.fullmatch(r"(2025-0\d-\d\d|2024-12-\d\d)?", row["bridgecart_last_purchased_on"])


def test_meta_gets_ids_and_values(shop: Settings, published: pd.DataFrame, tmp_path: Path):
    export_customers(shop, Audience(top=3), Shape(tool=TOOLS["meta"]), tmp_path / "meta.csv")
    best = published.set_index("customer_id")["predicted_clv"]
    rows = read_csv(tmp_path / "meta.csv", "utf-8")
    assert rows == [
        {"EXTERN_ID": customer, "LOOKALIKE_VALUE": str(best[customer])}
        for customer in picked(published, Audience(top=3))
    ]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_file_for_a_tool_has_ids_as_they_are_because_it_looks_for_them(shop: Settings, tmp_path: Path, tool: str):
    export_customers(shop, EVERYBODY, Shape(tool=TOOLS[tool]), tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    ids = [next(iter(row.values())) for row in read_csv(tmp_path / "out.csv", "utf-8")]
    assert FORMULA in ids
    assert ids == sorted(ids)


def test_the_command_says_how_many_and_by_what_those_without_a_prediction_were_chosen(
    shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(shop.data_dir))
    monkeypatch.chdir(tmp_path)

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(export, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    assert said("--at-risk", "--lifecycle", "dormant") == "0 customers written to customers.csv.\n"
    assert read_csv(tmp_path / "customers.csv", "utf-8-sig") == []
    assert said("--top", "7") == "7 customers written to customers.csv.\n"
    assert said("--top", "120", "--format", "parquet") == "120 customers written to customers.parquet.\n"
    # Of the 126, five never bought.
    assert said("--top", "123") == (
        "123 customers written to customers.csv.\n2 of them have no predicted value: these were chosen by their net "
        "sales so far, after those who have one.\n"
    )
    assert said("--segment", "S01", "--segment", "S02").startswith("121 customers")


@pytest.mark.parametrize(
    "arguments", [["--top", "0"], ["--lifecycle", "asleep"], ["--for", "pigeon"]], ids=lambda given: given[0]
)
def test_what_there_is_not_is_wrong_usage(arguments: list[str]):
    assert CliRunner().invoke(export, arguments).exit_code == 2


def test_who_is_forgotten_leaves_the_audiences(filled: Warehouse, settings: Settings, tmp_path: Path):
    file = published_path(settings.published_dir, AUDIENCES)
    before = pd.read_parquet(file)
    (hashed,) = before.loc[before["customer_id"] == "C3", "hashed_id"]
    with filled.transaction() as connection:
        erase_customers(connection, settings, ["C3"])
    publish_customers(filled, settings.published_dir)
    after = pd.read_parquet(file)
    assert set(before["customer_id"]) - set(after["customer_id"]) == {"C3"}
    assert hashed not in set(after["hashed_id"])
    _, rows = exported(settings, EVERYBODY, tmp_path / "out.parquet")
    assert set(rows["customer_id"]) == set(after["customer_id"])
