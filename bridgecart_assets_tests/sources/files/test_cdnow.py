"""The CDNOW log against figures that are known of it, and the events it becomes."""

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import NoReturn

import pytest

from bridgecart_assets.sources.files import cdnow
from bridgecart_assets.sources.files.cdnow import LogMissing, parse_cdnow, read_cdnow
from bridgecart_assets.sources.files.purchase_log import LoggedOrder, PurchaseLog

# Everything up to and with 30 September 1997: the half on which the published models were fitted.
CALIBRATED_UNTIL = datetime(1997, 10, 1, tzinfo=UTC)

SOME_LINES = """\
 00004 0001 19970101  2   29.33
 00004 0001 19970118  2   29.73
 00021 0002 19970101  3   63.34
 00021 0002 19970101  1   11.77
 00050 0003 19970101  1    0.00
"""


@pytest.fixture(scope="module")
def log() -> PurchaseLog:
    return read_cdnow()


@pytest.fixture(scope="module")
def calibration(log: PurchaseLog) -> list[LoggedOrder]:
    return [order for order in log.orders if order.ordered_at < CALIBRATED_UNTIL]


def test_all_2_357_customers_of_the_sample_and_their_2_457_repeat_purchases_are_there(calibration: list[LoggedOrder]):
    customers = {order.customer_id for order in calibration}
    assert len(customers) == 2_357
    assert len(calibration) - len(customers) == 2_457


def test_historic_value_at_the_end_of_the_calibration_is_the_known_one(calibration: list[LoggedOrder]):
    assert sum(order.amount for order in calibration) == Decimal("173115.55")


def test_1_411_customers_have_not_come_back_by_then_and_8_of_these_never_paid(calibration: list[LoggedOrder]):
    days = Counter(order.customer_id for order in calibration)
    paid = Counter(order.customer_id for order in calibration if order.amount > 0)
    assert sum(paid[customer] <= 1 for customer in days) == 1_411
    assert sum(paid[customer] == 0 for customer in days) == 8


def test_the_whole_log_is_6_696_orders_and_its_cents_are_all_there(log: PurchaseLog):
    assert (len(log.orders), log.customers, log.sales) == (6_696, 2_357, Decimal("244091.94"))


def test_lines_of_a_customer_on_one_day_are_one_order_and_one_of_zero_dollars_is_one_too():
    assert parse_cdnow(SOME_LINES).orders == (
        LoggedOrder(datetime(1997, 1, 1, 12, tzinfo=UTC), "CDNOW-0001", Decimal("29.33")),
        LoggedOrder(datetime(1997, 1, 1, 12, tzinfo=UTC), "CDNOW-0002", Decimal("75.11")),
        LoggedOrder(datetime(1997, 1, 1, 12, tzinfo=UTC), "CDNOW-0003", Decimal("0.00")),
        LoggedOrder(datetime(1997, 1, 18, 12, tzinfo=UTC), "CDNOW-0001", Decimal("29.73")),
    )


def test_an_event_says_what_the_log_says_and_no_more():
    key, payload, timestamp_ms = next(parse_cdnow(SOME_LINES).events())
    assert key == b"CDNOW-0001"
    assert json.loads(payload or b"") == {
        "order_id": "CDNOW-0001-19970101",
        "customer_id": "CDNOW-0001",
        "purchase_date": "1997-01-01T12:00:00Z",
        "purchase_amount": 29.33,
    }
    assert datetime.fromtimestamp(timestamp_ms / 1000, UTC) == datetime(1997, 1, 1, 12, tzinfo=UTC)


def test_the_same_log_gives_the_same_bytes_in_the_order_of_time(log: PurchaseLog):
    events = list(log.events())
    assert events == list(read_cdnow().events())
    assert [timestamp for _, _, timestamp in events] == sorted(timestamp for _, _, timestamp in events)
    assert hashlib.sha256(b"\n".join(payload or b"" for _, payload, _ in events)).hexdigest() == (
        "a9204c339211541d3b9d8a24e3121244dfe4b8c65269019a7484631ff9e2daa8"
    )


def test_amounts_in_the_events_are_those_of_the_log_to_the_cent(log: PurchaseLog):
    read = [json.loads(payload or b"", parse_float=Decimal)["purchase_amount"] for _, payload, _ in log.events()]
    assert read == [order.amount for order in log.orders]


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    def not_installed(name: str) -> NoReturn:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(cdnow, "distribution", not_installed)
    with pytest.raises(LogMissing, match=r"`pip install --no-deps lifetimes==0\.11\.3`") as raised:
        read_cdnow()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"", b" 00004 0001 19970101  2   29.33\r\n"])
def test_a_file_that_is_not_the_log_is_named_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
):
    file = tmp_path / "CDNOW_sample.txt"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(cdnow, "_installed_file", lambda: file)
    with pytest.raises(LogMissing, match="--force-reinstall") as raised:
        read_cdnow()
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)
