"""Samples of real topics are read as the shops that sent them meant them."""

from datetime import UTC, datetime
from decimal import Decimal

from bridgecart_assets_tests.sources.mapping.records import rows, sample_lines, sample_mapping


def test_nested_json_in_cents_is_read_with_its_lines_added_up():
    read = rows(sample_mapping("nested-cents"), sample_lines("nested-cents"))
    assert [row.get("purchase_amount") for row in read] == [
        *(Decimal("75.79"), Decimal("25.80"), None, Decimal("75.79")),
        *(None, Decimal("75.79"), Decimal("75.79"), Decimal("75.79")),
    ]
    assert read[7] == {
        "order_id": "10-2",
        "version": Decimal(2),
        "is_void": False,
        "customer_id": "C-42",
        "purchase_date": datetime(2026, 1, 1, 11, tzinfo=UTC),
        "purchase_amount": Decimal("75.79"),
        "discount_amount": Decimal("2.58"),
        "currency": "EUR",
        "coupon_used": True,
        "payment_method": "credit_card",
        "product_category": "Toys",
        "gender": "f",
        "age": 39,
    }


def test_of_nested_json_each_record_ends_as_it_should():
    read = rows(sample_mapping("nested-cents"), sample_lines("nested-cents"))
    assert read[2] == {"skipped": "where", "is_void": False}
    assert read[3]["is_void"] is True
    assert read[4]["bad_fields"] == ["purchase_amount", "product_category"]
    assert read[5]["currency"] == "USD"
    assert "customer_id" not in read[6]
    assert [number for number, row in enumerate(read) if "bad_fields" in row] == [4]


def test_webhooks_of_a_shop_are_read_with_the_refunds_inside_their_orders():
    read = rows(sample_mapping("shopify"), sample_lines("shopify-orders"))
    refunded_at = datetime(2026, 1, 9, 7, 29, 58, tzinfo=UTC)
    assert read[3] == {
        "order_id": "5600000000001",
        "version": Decimal(1767943800000000),
        "is_void": False,
        "customer_id": "7300000000042",
        "purchase_date": datetime(2026, 1, 1, 10, tzinfo=UTC),
        "purchase_amount": Decimal("129.90"),
        "discount_amount": Decimal("10.00"),
        "refunds": [{"at": refunded_at, "amount": Decimal("29.70")}],
        "currency": "EUR",
        "coupon_used": True,
        "payment_method": "paypal",
        "product_category": "Home",
        "name": "Ada Muster",
        "mobile": "+49 30 000000",
    }


def test_of_webhooks_a_guest_has_a_customer_id_a_cancelled_order_is_void_and_a_test_is_skipped():
    read = rows(sample_mapping("shopify"), sample_lines("shopify-orders"))
    assert str(read[2]["customer_id"]).startswith("guest:")
    assert "name" not in read[2]
    assert [row["is_void"] for row in read] == [False, False, False, False, True, False]
    assert [row.get("skipped") for row in read] == [None] * 5 + ["where"]


def test_a_time_without_a_zone_is_of_the_zone_of_the_settings():
    payload = b'{"Order No":"10-1","Customer":"C-42","Date":"2025-03-01 10:00","Total":"129,90","Status":"Completed"}'
    (row,) = rows(sample_mapping("history"), [payload], zone="Europe/Berlin")
    assert row["purchase_date"] == datetime(2025, 3, 1, 9, tzinfo=UTC)
    assert row["purchase_amount"] == Decimal("129.90")
    assert row["version"] == Decimal(0)
