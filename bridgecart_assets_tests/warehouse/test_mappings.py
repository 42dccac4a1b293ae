"""A topic in a shape of its own becomes silver by its mapping, whatever its batches; a mended one reads it again."""

import random
import subprocess
import sys
from base64 import b64decode
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import RAW_SCHEMAS, SILVER_MAPPINGS, SILVER_ORDERS, TABLES
from bridgecart_assets.orchestration.metadata import batch_figures, mapping_metadata
from bridgecart_assets.sources.mapping.errors import MappingError
from bridgecart_assets.sources.mapping.mapping_file import parse_mapping
from bridgecart_assets.sources.mapping.reading import MappedReader
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.duckdb_engine import DuckDBEngine
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.mappings import MAPPED
from bridgecart_assets.warehouse.queries import silver_batch_query, silver_query_of_batch
from bridgecart_assets.warehouse.remap import remap
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets.warehouse.storage.tables import prepare, run_steps
from bridgecart_assets.warehouse.writing import write_query
from bridgecart_assets_tests.sources.mapping.records import SAMPLES, sample_lines, sample_mapping
from bridgecart_assets_tests.sql.silver import Placed, SilverWarehouse, store_raw
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import rows

REQUIRED = "customer_id = 'value.a'\npurchase_date = 'value.b'\npurchase_amount = 'value.c'\n"
KEYS = ("20300101T000000Z", "20300102T000000Z", "20300103T000000Z")
NESTED, SHOPIFY, AVRO = (SAMPLES / "mappings" / f"{name}.toml" for name in ("nested-cents", "shopify", "debezium-avro"))

ENDS = """
select "offset", 'orders' as stands_in, order_id || ' ' || net_amount || ' ' || purchased_at as says from silver.orders
union all select "offset", standing, winner_offset::varchar from silver.superseded_orders
union all select "offset", 'duplicate', winner_offset::varchar from silver.duplicate_orders
union all select "offset", 'rejected', array_to_string(reasons, ',') from silver.rejected_orders
union all select -1, reason, sum(records)::varchar from silver.skipped_records group by reason
order by all
"""
NESTED_ENDS = [
    (-1, "where", "1"),
    (0, "superseded", "3"),
    (1, "superseded", "7"),
    (3, "void", "3"),
    (4, "rejected", "bad_purchase_amount"),
    (5, "rejected", "other_currency"),
    (6, "rejected", "missing_customer_id"),
    (7, "orders", "10-2 73.21 2026-01-01 11:00:00"),
]
SHOPIFY_ENDS = [
    (-1, "where", "1"),
    (0, "superseded", "3"),
    (1, "superseded", "3"),
    (2, "orders", "5600000000002 119.90 2026-01-01 10:00:00"),
    (3, "orders", "5600000000001 -29.70 2026-01-09 07:29:58"),
    (3, "orders", "5600000000001 119.90 2026-01-01 10:00:00"),
    (4, "void", "4"),
]

AVRO_ENDS = [
    (-1, "tombstone", "1"),
    (0, "orders", "7000 50.00 2025-01-01 10:00:00"),
    (1, "superseded", "4"),
    (2, "duplicate", "4"),
    (3, "superseded", "5"),
    (4, "orders", "7001 119.90 2026-01-01 10:00:00"),
    (5, "void", "5"),
    (6, "superseded", "7"),
    (7, "void", "7"),
    (9, "rejected", "missing_purchase_amount"),
    (10, "orders", "7005 -30.00 2026-01-01 10:05:00"),
    (10, "orders", "7005 80.00 2026-01-01 10:00:00"),
    (11, "rejected", "bad_avro"),
    (12, "rejected", "bad_avro"),
    (13, "rejected", "unknown_schema"),
]


def placed(lines: Sequence[bytes | None]) -> list[Placed]:
    return [Placed(Record(line), offset) for offset, line in enumerate(lines)]


def avro_lines() -> list[bytes | None]:
    """The records of the sample in Avro; an empty line is a tombstone."""
    return [b64decode(line) or None for line in (SAMPLES / "debezium-avro.b64").read_text().splitlines()]


def keep_the_schema(warehouse: SilverWarehouse) -> None:
    """Keep the schema of the sample in Avro, as if a registry had it."""
    with warehouse.transaction() as connection:
        prepare(connection, RAW_SCHEMAS)
        connection.execute(
            "insert into raw.schemas values ('registry', 1, 'AVRO', ?, '[]')",
            [(SAMPLES / "debezium-orders.avsc").read_text(encoding="utf-8")],
        )


def read(settings: Settings, *batches: Sequence[Placed]) -> SilverWarehouse:
    """Silver of the batches, one after the other."""
    warehouse = SilverWarehouse()
    keep_the_schema(warehouse)
    for key, records in zip(KEYS, batches, strict=False):
        store_raw(warehouse, key, records)
        make_silver(warehouse, settings, key)
    return warehouse


def make_silver(warehouse: SilverWarehouse, settings: Settings, batch_key: str) -> None:
    """Make silver of a batch; no registry is asked again for what it did not know."""
    with warehouse.transaction() as connection:
        query = silver_query_of_batch(connection, settings, batch_key)
        write_query(connection, SILVER_ORDERS, query, batch_key)


@pytest.mark.parametrize(
    ("lines", "mapping", "ends"),
    [
        (sample_lines("nested-cents"), NESTED, NESTED_ENDS),
        (sample_lines("shopify-orders"), SHOPIFY, SHOPIFY_ENDS),
        (avro_lines(), AVRO, AVRO_ENDS),
    ],
    ids=["nested-cents", "shopify-orders", "debezium-avro"],
)
def test_a_sample_ends_where_its_shop_says_in_one_batch_and_in_shuffled_ones(
    lines: Sequence[bytes | None], mapping: Path, ends: list[tuple[int, str, str]]
) -> None:
    settings = Settings(mapping=mapping)
    records = placed(lines)
    assert rows(read(settings, records), ENDS) == ends
    random.Random(7).shuffle(records)
    parts = [records[:3], records[3:5], records[5:]]
    warehouse = read(settings, *parts)
    assert rows(warehouse, ENDS) == ends
    make_silver(warehouse, settings, KEYS[1])
    assert rows(warehouse, ENDS) == ends


def test_superseded_void_and_skipped_records_are_numbers_of_their_batch_that_are_plotted() -> None:
    with read(Settings(mapping=SHOPIFY), placed(sample_lines("shopify-orders"))).reading() as connection:
        figures = batch_figures(connection, KEYS[0])
    assert {name: number for name, number in figures.items() if number} == {
        "records": 6,
        "orders": 2,
        "superseded": 3,
        "void": 1,
        "skipped": 1,
        "refunds_inside": 1,
    }


def test_the_event_of_bridgecart_said_as_a_mapping_becomes_the_same_orders() -> None:
    lines = [event(order_id=f"O{n}", purchase_amount=n, discount_amount=n / 4) for n in range(1, 9)]
    columns = "order_key, order_id, customer_id, purchased_at, net_amount, payment_method, product_category"
    read_alike = [
        rows(read(Settings(mapping=mapping), placed(lines)), f"select {columns} from silver.orders order by all")
        for mapping in (None, SAMPLES / "mappings" / "flat.toml")
    ]
    assert read_alike[0] == read_alike[1]
    assert len(read_alike[0]) == len(lines)


def test_by_which_mapping_each_batch_was_read_is_on_record_and_no_other_mapping() -> None:
    nested, shopify = sample_mapping("nested-cents"), sample_mapping("shopify")
    warehouse = read(Settings(mapping=NESTED), *map(placed, ([b"{}"], [b"{}"])))
    run_silver(warehouse, Settings(), KEYS[1])
    readings = "select batch_key, mapping from silver.readings order by all"
    assert rows(warehouse, readings) == [(KEYS[0], nested.sha256), (KEYS[1], None)]
    assert rows(warehouse, "from silver.mappings") == [(nested.sha256, nested.text)]
    run_silver(warehouse, Settings(mapping=SHOPIFY), KEYS[1])
    assert rows(warehouse, "select mapping from silver.mappings order by all") == [
        (sha256,) for sha256 in sorted((nested.sha256, shopify.sha256))
    ]
    run_silver(warehouse, Settings(mapping=SHOPIFY), KEYS[0])
    assert rows(warehouse, "from silver.mappings") == [(shopify.sha256, shopify.text)]


def test_the_currency_of_the_mapping_counts_before_that_of_the_settings() -> None:
    warehouse = read(Settings(mapping=NESTED, currency="USD"), placed(sample_lines("nested-cents")))
    assert rows(warehouse, ENDS) == NESTED_ENDS


def test_a_file_is_read_by_its_own_mapping_and_one_without_as_the_own_event() -> None:
    history, settings = sample_mapping("history"), Settings(mapping=NESTED, naive_timezone="UTC")
    row = b'{"Order No": "H1", "Customer": "C1", "Date": "2025-03-01 10:00", "Total": "129,90", "Discount": "10,00"}'
    warehouse = SilverWarehouse()
    for key, payload, text in ((KEYS[0], row, history.text), (KEYS[1], event(order_id="E1"), None)):
        store_batch(warehouse, key, [Record(payload, None)], topic_id=f"file:{key}")
        with warehouse.transaction() as connection:
            connection.execute("update raw.batches set mapping = $1 where batch_key = $2", [text, key])
        run_silver(warehouse, settings, key)
    assert rows(warehouse, "select order_id, net_amount from silver.orders order by all") == [
        ("E1", Decimal("100.00")),
        ("H1", Decimal("119.90")),
    ]
    assert rows(warehouse, "select mapping from silver.readings order by batch_key") == [(history.sha256,), (None,)]


def test_fields_outside_the_contract_are_told_of_the_own_event_and_not_of_records_that_a_mapping_reads() -> None:
    payload = event(status="cancelled")
    for mapping, told in ((None, ["status"]), (SAMPLES / "mappings" / "flat.toml", [])):
        warehouse = read(Settings(mapping=mapping), placed([payload]))
        with warehouse.reading() as connection:
            run_steps(connection, files_before("checks/silver_meaning_is_known"), {})
            parameters: dict[str, Parameter] = {"batch_key": KEYS[0], "currency": None}
            _, found = rows_of(connection, read_sql("checks/silver_meaning_is_known"), parameters)
        assert [field for field, *_ in found] == told


def test_a_mapping_gives_exactly_the_columns_that_silver_judges() -> None:
    reader = MappedReader(sample_mapping("shopify"), max_payload_bytes=1_000, naive_timezone="UTC")
    warehouse = SilverWarehouse()
    store_raw(warehouse, KEYS[0], placed(sample_lines("shopify-orders")))
    with warehouse.reading() as connection:
        columns = 'topic_id, "partition", "offset", kafka_timestamp, batch_key, key, headers, payload'
        given = reader.read(connection.sql(f"select {columns} from raw.orders").to_arrow_reader())
        connection.register("given", given)
        connection.register("expected", MAPPED.empty_table())
        given_columns, expected = (
            sorted(connection.execute(f"describe {name}").fetchall()) for name in ("given", "expected")
        )
        assert given_columns == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "format = 1\n[order]\n" + REQUIRED + "currency = 'value.c'",
            "mapping.toml [order] currency: nothing says which",
        ),
        (None, "BRIDGECART_MAPPING: mapping.toml: the file cannot be read (No such file or directory)"),
        ("format = 1\n[order]\norder = 'value.id'", "BRIDGECART_MAPPING: mapping.toml [order] order: there is no such"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_said_in_one_line_and_nothing_is_written(
    tmp_path: Path, text: str | None, says: str
) -> None:
    file = tmp_path / "mapping.toml"
    if text is not None:
        file.write_text(text)
    warehouse = read(Settings(), placed([event()]))
    with pytest.raises(MappingError) as caught:
        run_silver(warehouse, Settings(mapping=file), KEYS[0])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert rows(warehouse, "select count(*) from silver.orders") == [(1,)]


def test_a_mended_mapping_is_run_again_and_becomes_row_by_row_a_new_warehouse(
    settings: Settings, tmp_path: Path
) -> None:
    mended = NESTED.read_text()
    wrong = mended.replace("value.order.discount_cents", "value.order.discount").replace("'cancelled'", "'canceled'")
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(wrong)
    lines = sample_lines("nested-cents")
    batches = [[Record(line) for line in part] for part in (lines[:3], lines[3:6], lines[6:])]
    standing = settings.model_copy(update={"mapping": mapping})
    new = standing.model_copy(update={"data_dir": tmp_path / "new"})

    def store(of: Settings) -> Any:
        warehouse = warehouse_from_settings(of)
        for number, (key, records) in enumerate(zip(KEYS, batches, strict=True)):
            store_batch(warehouse, key, records, start=3 * number)
            run_silver(warehouse, of, key)
        return warehouse

    warehouse = store(standing)
    mapping.write_text(mended)
    fresh = store(new)
    names = [
        name for name in (*TABLES, SILVER_MAPPINGS.full_name) if name.startswith("silver.") and "customers" not in name
    ]
    as_read = {name: rows(fresh, f"from {name} order by all") for name in names}
    assert rows(warehouse, "from silver.orders order by all") != as_read["silver.orders"]
    remap(DuckDBEngine(warehouse), standing, lambda _done, _of: None)
    assert {name: rows(warehouse, f"from {name} order by all") for name in names} == as_read
    assert rows(warehouse, "select order_id, net_amount from silver.orders") == [("10-2", Decimal("73.21"))]


def test_a_materialization_says_its_mapping_but_not_the_bytes_of_its_types() -> None:
    text = f"{NESTED.read_text().rstrip()}\n\n[descriptors]\nbase64 = 'AAAA'\n"
    mapping = parse_mapping(text, "mapping.toml")
    reader = MappedReader(mapping, max_payload_bytes=1_000, naive_timezone="UTC")
    said = mapping_metadata(silver_batch_query(Settings(), reader=reader))
    assert said["mapping"] == mapping.sha256
    shown = said["mapping_text"]
    assert not isinstance(shown, str)
    assert shown.value == f"````toml\n{NESTED.read_text().rstrip()}\n````"
    assert mapping_metadata(silver_batch_query(Settings())) == {}


def test_without_a_mapping_nothing_of_it_is_loaded() -> None:
    run = (
        "import sys, duckdb\n"
        "from bridgecart_assets.base.settings import Settings\n"
        "from bridgecart_assets.warehouse.queries import silver_query_of_batch\n"
        "with duckdb.connect() as connection: silver_query_of_batch(connection, Settings(), 'b')\n"
        "print([name for name in sys.modules if name.startswith('bridgecart_assets.sources.mapping')])\n"
    )
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
