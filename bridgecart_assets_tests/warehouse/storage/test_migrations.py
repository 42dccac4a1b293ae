"""The layout of the warehouse has a version: older files are brought up to date, newer ones refused, none is lost."""

import json
from pathlib import Path

import duckdb
import pytest

from bridgecart_assets import sql
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import (
    BATCH_SUMS,
    BEHIND_VIEWS,
    BESIDE_ORDERS,
    ERASURE_TABLES,
    IN_LAKE,
    LAKE_HEADS,
    OUTBOX_TABLES,
    PURCHASE_MODEL,
    RAW_BATCHES,
    RAW_SCHEMAS,
    SEGMENT_MODEL,
    SILVER_DUPLICATES,
    SILVER_MAPPINGS,
    SILVER_ORDERS,
    SILVER_READINGS,
    SILVER_SUPERSEDED,
    TABLES,
    WITHDRAWN_ORDERS,
    WRITTEN_WITH_ORDERS,
    Contract,
)
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.orchestration.check_rules import RULES
from bridgecart_assets.orchestration.checks import evaluate
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.sources.kafka.continuity import KnownTopic
from bridgecart_assets.warehouse.ingest.ledger import load_position
from bridgecart_assets.warehouse.storage import migrations
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets.warehouse.storage.migrations import MIGRATIONS, LayoutInLake, WarehouseTooNew
from bridgecart_assets.warehouse.storage.tables import prepare
from bridgecart_assets_tests.support.pipeline import run_silver, run_small_shop, run_whole_tables
from bridgecart_assets_tests.support.records import TOPIC_ID, Record, store_batch
from bridgecart_assets_tests.support.state import rows, store_views

GOLDEN = Path(__file__).parents[2] / "golden" / "layout.json"


def layout() -> dict[str, object]:
    """The version, and the columns of every table and view that it means."""
    tables = (
        *TABLES.values(),
        *BEHIND_VIEWS,
        BATCH_SUMS,
        RAW_SCHEMAS,
        SILVER_MAPPINGS,
        *ERASURE_TABLES,
        *OUTBOX_TABLES,
        WITHDRAWN_ORDERS,
    )
    return {
        "version": len(MIGRATIONS),
        "tables": {
            t.full_name: [f"{c.name} {c.type}{'' if c.nullable else ' not null'}" for c in t.columns] for t in tables
        },
    }


def version_of(warehouse: Warehouse) -> list[tuple[int]]:
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        return connection.sql("select version from main.layout_version").fetchall()


def as_if_older(warehouse: Warehouse) -> None:
    """As a version of BridgeCart left it that knew of no layouts."""
    with warehouse.transaction() as connection:
        connection.execute("create schema if not exists raw")
        connection.execute("create table raw.orders as select 42 as kept")
        connection.execute("drop table main.layout_version")


def without_later_views(connection: duckdb.DuckDBPyConnection) -> None:
    """As older versions had it: tables of what are views, and no table of audiences."""
    store_views(connection)
    connection.execute("drop table gold.audiences")


def assert_refused(warehouse: Warehouse, opened: str, error: type[Exception], says: str) -> None:
    """The warehouse is not opened, and its file stays as it is to the byte."""
    before = warehouse.path.read_bytes()
    with (
        pytest.raises(error, match=says),
        warehouse.reading() if opened == "to read" else warehouse.transaction(),
    ):
        pass
    assert warehouse.path.read_bytes() == before


@pytest.fixture
def with_a_second_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of BridgeCart that renamed a column."""
    known = sql.read_sql

    def read_sql(name: str) -> str:
        return "alter table raw.orders rename column kept to renamed; -- done" if name == "second" else known(name)

    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, "second"))
    monkeypatch.setattr(migrations, "read_sql", read_sql)


def test_the_columns_of_all_tables_are_those_that_the_version_means() -> None:
    stored = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert layout() == stored, (
        "columns changed: add a migration to warehouse/migrations.py, then write the golden file anew with "
        "`.venv/bin/python -m bridgecart_assets_tests.warehouse.storage.test_migrations`"
    )


def test_a_new_warehouse_has_the_newest_layout(warehouse: Warehouse) -> None:
    with warehouse.transaction():
        pass
    assert version_of(warehouse) == [(len(MIGRATIONS),)]


@pytest.mark.parametrize("opened", ["to read", "to write"])
def test_a_warehouse_from_before_layouts_had_a_version_is_brought_up_to_date(warehouse: Warehouse, opened: str) -> None:
    as_if_older(warehouse)
    with warehouse.reading() if opened == "to read" else warehouse.transaction() as connection:
        assert connection.sql("select kept from raw.orders").fetchall() == [(42,)]
    assert version_of(warehouse) == [(len(MIGRATIONS),)]


def test_a_warehouse_from_before_predictions_had_bounds_keeps_its_models_and_goes_on(settings: Settings) -> None:
    warehouse = run_small_shop(settings)
    with warehouse.transaction() as connection:
        names = PURCHASE_MODEL.column_names
        for column in names[names.index("largest_mean_spend") :]:
            connection.execute(f"alter table gold.purchase_model drop column {column}")
        names = SEGMENT_MODEL.column_names
        for column in names[names.index("segments_asked") :]:
            connection.execute(f"alter table gold.segment_model drop column {column}")
        for column in ("opening_predicted_clv", "closing_predicted_clv"):
            connection.execute(f"alter table kpi.clv_growth alter column {column} type decimal(18, 2)")
        connection.execute("alter table gold.refreshes rename column full_rebuilds to made_whole")
        without_later_views(connection)
        connection.execute("update main.layout_version set version = 1")
    with warehouse.transaction() as connection:
        known = connection.sql("select version, largest_mean_spend, spend_model from gold.purchase_model").fetchall()
        assert known == [(1, 1e9, "log-normal")]
        assert set(connection.sql("select full_rebuilds from gold.refreshes").fetchall()) == {(1,)}
    run_whole_tables(warehouse, settings, refit_mode=RefitMode.NOW)
    with warehouse.reading() as connection:
        described = connection.sql("describe kpi.clv_growth").fetchall()
    assert {kind for name, kind, *_ in described if name.endswith("ing_predicted_clv")} == {"DECIMAL(38,2)"}


def test_the_orders_of_a_warehouse_from_before_batches_had_sums_are_counted(settings: Settings) -> None:
    warehouse = run_small_shop(settings)
    counted = rows(warehouse, "from silver.batch_sums order by all")
    assert counted
    with warehouse.transaction() as connection:
        connection.execute("drop table silver.batch_sums")
        without_later_views(connection)
        connection.execute("update main.layout_version set version = 6")
    assert rows(warehouse, "from silver.batch_sums order by all") == counted
    assert layout_of(warehouse, BATCH_SUMS) == [(column.name, column.type) for column in BATCH_SUMS.columns]


def test_a_warehouse_without_orders_gets_no_sums_of_batches(warehouse: Warehouse) -> None:
    as_if_older(warehouse)
    assert rows(warehouse, "from silver.batch_sums") == []


def layout_of(warehouse: Warehouse, table: Contract) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in rows(warehouse, f"describe {table.full_name}")]


def test_a_ledger_from_before_last_records_were_kept_knows_none_and_takes_in_the_next_batch(
    warehouse: Warehouse,
) -> None:
    store_batch(warehouse, "20300101T000000Z", [Record(b"order")])
    with warehouse.transaction() as connection:
        connection.execute("alter table raw.batches drop column mapping")
        connection.execute("alter table raw.batches drop column last_records")
        connection.execute("create or replace table main.layout_version as select 2 as version")
    assert load_position(warehouse).known == {TOPIC_ID: KnownTopic(frozenset({"test"}))}
    store_batch(warehouse, "20300101T000100Z", [Record(b"order")], start=1)
    assert load_position(warehouse).ends == {TOPIC_ID: {0: 2}}


def _without_later_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """Orders and duplicates as version 4 had them: a migration adds its columns at the end, in its order."""
    for contract in (SILVER_ORDERS, SILVER_DUPLICATES):
        names = contract.column_names
        for column in names[names.index("purchased_on") :]:
            connection.execute(f"alter table {contract.full_name} drop column {column}")
    without_later_views(connection)
    connection.execute("update main.layout_version set version = 4")


def test_an_order_from_before_shops_had_a_calendar_is_of_its_day_in_utc(settings: Settings) -> None:
    days = "select order_key, purchased_on from silver.orders order by order_key"
    warehouse = run_small_shop(settings)
    with warehouse.transaction() as connection:
        before = connection.sql(days).fetchall()
        _without_later_columns(connection)
    with warehouse.reading() as connection:
        assert connection.sql(days).fetchall() == before
    run_silver(warehouse, settings, "20260101T000000Z")
    run_whole_tables(warehouse, settings)


def test_orders_from_before_they_could_sum_lines_are_of_one_event_each(settings: Settings) -> None:
    warehouse = run_small_shop(settings)
    with warehouse.transaction() as connection:
        _without_later_columns(connection)
    with warehouse.reading() as connection:
        assert connection.sql("select lines, count(*) from silver.orders group by lines").fetchall() == [(1, 50)]
    run_silver(warehouse, settings, "20260101T000000Z")


def test_batches_from_before_it_was_on_record_count_as_read_otherwise(settings: Settings) -> None:
    warehouse = run_small_shop(settings)
    with warehouse.transaction() as connection:
        connection.execute("drop table silver.readings")
        without_later_views(connection)
        connection.execute("update main.layout_version set version = 4")
    (rule,) = [rule for rule in RULES if rule.name == "batches_are_read_alike"]
    (result,) = evaluate(Platform(), [rule], None)
    assert not result.passed
    assert str(result.description).startswith("1 of 1 batches were read by other rules than those of this version")
    run_silver(warehouse, settings, "20260101T000000Z")
    (result,) = evaluate(Platform(), [rule], None)
    assert result.passed


def test_orders_from_before_ignored_fields_were_noted_keep_their_customers_as_they_were(settings: Settings) -> None:
    warehouse = run_small_shop(settings)
    customers = "select * from silver.customers order by customer_id"
    with warehouse.transaction() as connection:
        before = connection.sql(customers).fetchall()
        _without_later_columns(connection)
    run_whole_tables(warehouse, settings)
    with warehouse.reading() as connection:
        assert connection.sql(customers).fetchall() == before


def _columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    sql = "select schema_name, table_name, column_index, column_name, data_type, is_nullable from duckdb_columns()"
    return connection.sql(f"{sql} where schema_name in ('raw', 'silver') order by all").fetchall()


def test_a_warehouse_from_before_own_topics_gets_the_columns_of_a_new_one(warehouse: Warehouse) -> None:
    tables = (RAW_BATCHES, SILVER_ORDERS, BATCH_SUMS, *WRITTEN_WITH_ORDERS, SILVER_MAPPINGS)
    with warehouse.transaction() as connection:
        for contract in tables:
            prepare(connection, contract)
        new = _columns(connection)
        for contract in (SILVER_ORDERS, *BESIDE_ORDERS):
            for column in ("version", "is_void", "refunds", "part"):
                connection.execute(f"alter table {contract.full_name} drop column {column}")
        for contract in (SILVER_DUPLICATES, SILVER_SUPERSEDED):
            for column in ("customer_id", "customer_hash", "purchased_at", "purchased_on", "order_kind", "net_amount"):
                connection.execute(f"alter table {contract.full_name} alter column {column} set not null")
        for contract in (RAW_BATCHES, SILVER_READINGS):
            connection.execute(f"alter table {contract.full_name} drop column mapping")
        connection.execute("drop table silver.skipped_records")
        connection.execute("drop table silver.mappings")
        connection.execute("update main.layout_version set version = 5")
    with warehouse.reading() as connection:
        assert _columns(connection) == new


@pytest.mark.usefixtures("with_a_second_version")
@pytest.mark.parametrize("opened", ["to read", "to write"])
def test_every_migration_that_the_file_lacks_runs_once(warehouse: Warehouse, opened: str) -> None:
    as_if_older(warehouse)
    for _ in range(2):
        with warehouse.reading() if opened == "to read" else warehouse.transaction() as connection:
            assert connection.sql("select renamed from raw.orders").fetchall() == [(42,)]
    assert version_of(warehouse) == [(len(MIGRATIONS) + 1,)]


@pytest.mark.usefixtures("with_a_second_version")
def test_a_migration_that_fails_leaves_the_file_as_it_was(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_if_older(warehouse)
    monkeypatch.setattr(
        migrations, "read_sql", lambda name: "select 1; select * from nowhere" if name == "second" else ""
    )
    with pytest.raises(duckdb.CatalogException, match="nowhere"), warehouse.transaction():
        pass
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        assert connection.sql("select kept from raw.orders").fetchall() == [(42,)]
        assert connection.sql("select 1 from duckdb_tables() where table_name = 'layout_version'").fetchall() == []


@pytest.mark.usefixtures("with_a_second_version")
@pytest.mark.parametrize("opened", ["to read", "to write"])
def test_a_migration_of_a_table_in_the_lake_is_refused_and_the_file_not_touched(
    warehouse: Warehouse, opened: str
) -> None:
    as_if_older(warehouse)
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute("create schema lake")
        connection.execute(LAKE_HEADS.ddl())
        connection.executemany("insert into lake.heads values (?, 7, [])", [[table.full_name] for table in IN_LAKE])
    assert_refused(
        warehouse, opened, LayoutInLake, r"in raw\.orders, .*, which are in the lake: install the version before"
    )


@pytest.mark.parametrize("opened", ["to read", "to write"])
def test_a_warehouse_of_a_later_version_is_refused_and_not_touched(warehouse: Warehouse, opened: str) -> None:
    with warehouse.transaction() as connection:
        connection.execute("update main.layout_version set version = 99")
    assert_refused(
        warehouse, opened, WarehouseTooNew, r"later version of BridgeCart \(its layout is 99.*BRIDGECART_DATA_DIR"
    )


def test_reading_a_warehouse_that_is_up_to_date_writes_nothing(warehouse: Warehouse) -> None:
    with warehouse.transaction() as connection:
        connection.execute("create table one as select 1 as value")
    before = warehouse.path.read_bytes()
    with warehouse.reading() as connection:
        assert connection.sql("select value from one").fetchall() == [(1,)]
    assert warehouse.path.read_bytes() == before


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(layout(), indent=2) + "\n", encoding="utf-8")
