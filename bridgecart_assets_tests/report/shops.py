"""Warehouses that a report is made of."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.report.writing import write_report
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets_tests.integration.shop import history
from bridgecart_assets_tests.support.pipeline import run_silver, run_whole_tables
from bridgecart_assets_tests.support.records import Record, event, store_batch

BATCH = "20260101T000000Z"
HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)></script><!--"


def open_shop(folder: Path, records: list[Record], **others: Any) -> Settings:
    """The settings of a warehouse with everything made of these records."""
    settings = Settings(data_dir=folder, **others)
    warehouse = warehouse_from_settings(settings)
    store_batch(warehouse, BATCH, records)
    run_silver(warehouse, settings, BATCH)
    run_whole_tables(warehouse, settings)
    return settings


def grown_shop(folder: Path, **others: Any) -> Settings:
    """A made-up world of 18 months with its duplicates, refunds and malformed records."""
    events = history(4_000)
    records = [Record(e.value, datetime.fromtimestamp(e.timestamp_ms / 1000, UTC)) for e in events]
    return open_shop(folder, records, **others)


def hostile_shop(folder: Path) -> Settings:
    """Every text of every event is markup."""
    texts = dict.fromkeys(("name", "gender", "mobile", "payment_method", "product_category"), HOSTILE)
    records = [
        Record(
            event(
                order_id=f"{HOSTILE}{customer}-{month}",
                customer_id=f"{HOSTILE}{customer}",
                purchase_date=f"2025-{month:02}-{customer + 1:02}T10:00:00Z",
                purchase_amount=100 * (customer + 1),
                **texts,
            )
        )
        for month in (1, 2, 3)
        for customer in range(20)
    ]
    return open_shop(folder, [*records, Record(HOSTILE.encode()), Record(event(purchase_date=HOSTILE))])


def empty_shop(folder: Path) -> Settings:
    """The first batch had nothing but a record that is no order."""
    return open_shop(folder, [Record(b"nothing")])


def page_of(settings: Settings) -> Path:
    """The report of a warehouse, written."""
    return write_report(settings)
