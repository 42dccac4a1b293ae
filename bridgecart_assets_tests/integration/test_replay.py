"""`bridgecart replay cdnow` on both kinds of broker: from the log to KPIs that were worked out from it by other means.

The tests of one broker look at one replay, and the last of them at a second one.
"""

import shutil
import uuid
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from bridgecart_assets.base.settings import Settings, load_settings
from bridgecart_assets.sources.files.cdnow import read_cdnow
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.integration.killable import Ended, Killer
from bridgecart_assets_tests.integration.shop import Shop
from bridgecart_assets_tests.sources.kafka.contents import delete_records, records_of
from bridgecart_assets_tests.sources.kafka.fixtures import any_broker, only_apache
from bridgecart_assets_tests.sql.by_hand import Kpis, kpis_of_the_quarter
from bridgecart_assets_tests.support.state import digests, rows

RULES = ("heavy", "light", "one_time")
ORDERS = "select purchased_at, customer_id, net_amount from silver.orders order by all"


@pytest.fixture(scope="module")
def replay_settings(
    broker_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """A data directory, and a broker only where it is not the embedded one, which a replay starts by itself."""
    folder = {"BRIDGECART_DATA_DIR": str(tmp_path_factory.mktemp(f"replay-{broker_kind}") / "data")}
    if broker_kind == "embedded":
        return folder
    servers, topic = request.getfixturevalue("broker"), f"cdnow-{uuid.uuid4().hex[:12]}"
    return {**folder, "BRIDGECART_KAFKA_BOOTSTRAP_SERVERS": servers, "BRIDGECART_KAFKA_TOPIC": topic}


@pytest.fixture(scope="module")
def replayed(killer: Killer, replay_settings: dict[str, str]) -> Ended:
    ended = killer.run("replay", "cdnow", **replay_settings)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended


@pytest.fixture
def data_dir(data_dir: Path, replay_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tests of one broker look at one replay."""
    for name, value in replay_settings.items():
        monkeypatch.setenv(name, value)
    return Path(replay_settings["BRIDGECART_DATA_DIR"])


@pytest.fixture
def warehouse(replayed: Ended, data_dir: Path) -> Warehouse:
    return warehouse_from_settings(load_settings())


@pytest.fixture(scope="module")
def kpis(replayed: Ended, replay_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Kpis:
    """The KPIs of the last quarter of 1997, on a copy of the warehouse."""
    original = Settings(data_dir=Path(replay_settings["BRIDGECART_DATA_DIR"]))
    copy = Settings(data_dir=tmp_path_factory.mktemp("quarter"))
    shutil.copy(original.warehouse_path, copy.warehouse_path)
    return kpis_of_the_quarter(warehouse_from_settings(copy), copy)


def test_it_says_what_came_through_and_ends_with_the_kpi_table(replayed: Ended) -> None:
    lines = replayed.stdout.splitlines()
    assert lines[0] == (
        "CDNOW: 6,696 orders of 2,357 customers, 1997-01-01 to 1998-06-30. Sales 244,091.94 in the log and in silver."
    )
    assert lines[1] == "1 batch(es): 6,696 records = 6,696 orders + 0 duplicates + 0 rejected."
    assert "KPIs by segment, period from 1998-06-01" in lines
    assert "Duplicates" not in replayed.stdout
    # What a check says of this log is as long as it takes.
    assert all(len(line) <= 160 for line in lines if not line.startswith("WARN"))


@pytest.mark.story
def test_silver_holds_every_order_of_the_log_to_the_cent_and_no_other(warehouse: Warehouse) -> None:
    logged = [(order.ordered_at.replace(tzinfo=None), order.customer_id, order.amount) for order in read_cdnow().orders]
    assert rows(warehouse, ORDERS) == logged


@any_broker
def test_the_8_purchases_of_nothing_are_zero_value_orders(warehouse: Warehouse) -> None:
    kinds = rows(warehouse, "select order_kind, count(*) from silver.orders group by order_kind order by order_kind")
    assert kinds == [("purchase", 6_688), ("zero", 8)]


@any_broker
def test_the_historic_value_of_everybody_at_the_end_of_september_1997_is_that_of_the_log(
    warehouse: Warehouse,
) -> None:
    totals = "select count(*), sum(net_sales) from gold.customer_snapshots where as_of = ?"
    assert rows(warehouse, totals, date(1997, 10, 1)) == [(2_357, Decimal("173115.55"))]


@any_broker
def test_clv_growth_of_the_quarter_is_as_worked_out_from_the_log(kpis: Kpis) -> None:
    growth = {rule: row["clv_growth"] for rule, row in kpis["clv_growth"].items()}
    assert growth == pytest.approx({"heavy": 0.1836, "light": 0.1788, "one_time": 0.0884}, abs=5e-5)
    assert {rule: row["customers"] for rule, row in kpis["clv_growth"].items()} == {
        "heavy": 293,
        "light": 653,
        "one_time": 1_411,
    }


@any_broker
def test_the_bridge_of_the_heavy_customers_is_as_worked_out_from_the_log(kpis: Kpis) -> None:
    heavy = kpis["clv_growth"]["heavy"]
    steps = ("opening_clv", "organic", "migrated_in", "migrated_out", "new_customers", "removed", "closing_clv")
    assert [heavy[step] for step in steps] == [
        Decimal(figure) for figure in ("77169.59", "14167.98", "17611.97", "0", "0", "0", "108949.54")
    ]


@any_broker
def test_churn_of_the_quarter_is_as_worked_out_and_of_one_time_buyers_nobody_was_active(kpis: Kpis) -> None:
    churn = kpis["churn_rate"]
    assert {rule: (churn[rule]["churned"], churn[rule]["active"]) for rule in RULES} == {
        "heavy": (74, 207),
        "light": (136, 202),
        "one_time": (0, 0),
    }
    assert churn["heavy"]["churn_rate"] == pytest.approx(74 / 207)
    assert churn["light"]["churn_rate"] == pytest.approx(136 / 202)
    assert (churn["one_time"]["churn_rate"], churn["one_time"]["churn_rate_reason"]) == (None, "nobody_active")


@any_broker
def test_sales_and_average_order_value_of_the_quarter_are_as_worked_out_from_the_log(kpis: Kpis) -> None:
    orders = kpis["average_order_value"]
    assert {rule: (orders[rule]["orders"], orders[rule]["sales"]) for rule in RULES} == {
        "heavy": (368, Decimal("14167.98")),
        "light": (231, Decimal("9363.07")),
        "one_time": (119, Decimal("3852.23")),
    }
    values = {rule: orders[rule]["average_order_value"] for rule in RULES}
    assert values == pytest.approx({"heavy": 38.4999, "light": 40.5328, "one_time": 32.3717}, abs=5e-5)


@any_broker
def test_contributions_to_sales_of_the_quarter_are_as_worked_out_from_the_log(kpis: Kpis) -> None:
    shares = {rule: row["sales_contribution"] for rule, row in kpis["sales_contribution"].items()}
    assert {rule: round(share, 4) for rule, share in shares.items()} == {
        "heavy": Decimal("0.5174"),
        "light": Decimal("0.3419"),
        "one_time": Decimal("0.1407"),
    }
    assert sum(shares.values()) == 1


def test_a_second_replay_sends_everything_again_and_changes_no_order_and_no_figure(
    killer: Killer, replayed: Ended, data_dir: Path, replay_settings: dict[str, str], tmp_path: Path
) -> None:
    copy = shutil.copytree(data_dir, tmp_path / "copy")
    warehouse = Warehouse(copy / "bridgecart.duckdb")
    orders, before = rows(warehouse, ORDERS), digests(warehouse)
    again = killer.run("replay", "cdnow", **{**replay_settings, "BRIDGECART_DATA_DIR": str(copy)})
    assert (again.returncode, again.stderr) == (0, "")
    lines = again.stdout.splitlines()
    assert lines[1] == "1 batch(es): 6,696 records = 0 orders + 6,696 duplicates + 0 rejected."
    assert "Duplicates are orders of an earlier replay: none is counted twice." in lines
    assert rows(warehouse, ORDERS) == orders
    assert rows(warehouse, "select count(*) from raw.orders") == [(2 * 6_696,)]
    after = digests(warehouse)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"raw.orders", "silver.duplicate_orders"}


@any_broker
def test_a_replay_that_was_killed_is_done_by_the_next_one(
    killer: Killer, tmp_path: Path, replay_settings: dict[str, str]
) -> None:
    settings = {**replay_settings, "BRIDGECART_DATA_DIR": str(tmp_path / "killed")}
    for moment in (10, 40, 90):
        assert killer.run_until(moment, "replay", "cdnow", settings=settings).was_killed
    ended = killer.run("replay", "cdnow", **settings)
    assert ended.returncode == 0, ended.stderr
    silver = Warehouse(tmp_path / "killed" / "bridgecart.duckdb")
    assert rows(silver, "select count(*), sum(net_amount) from silver.orders") == [(6_696, Decimal("244091.94"))]


@any_broker
def test_a_topic_with_other_orders_is_refused_and_left_as_it_is(killer: Killer, shop: Shop, tmp_path: Path) -> None:
    shop.sell(50)
    before = records_of(shop.connection)
    refused(killer, shop, tmp_path)
    assert records_of(shop.connection) == before


@only_apache
def test_a_topic_that_held_orders_before_retention_removed_them_is_refused_too(
    killer: Killer, shop: Shop, tmp_path: Path
) -> None:
    shop.sell(50)
    ends: dict[int, int] = {}
    for record in records_of(shop.connection):
        ends[int(str(record["partition"]))] = int(str(record["offset"])) + 1
    delete_records(shop.connection, before=ends)
    refused(killer, shop, tmp_path)
    assert records_of(shop.connection) == []


def refused(killer: Killer, shop: Shop, tmp_path: Path) -> None:
    ended = killer.run("replay", "cdnow", BRIDGECART_DATA_DIR=str(tmp_path / "refused"))
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended.stderr
    assert f"Topic {shop.connection.topic} at " in ended.stderr
    assert "set BRIDGECART_KAFKA_TOPIC to the name of a new topic" in ended.stderr
    assert not (tmp_path / "refused" / "bridgecart.duckdb").exists()
