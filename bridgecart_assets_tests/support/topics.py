"""One shop's orders in the shapes that companies have them in: a table's changes, webhooks, tracked events, a file."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import fastavro

SAMPLES = Path(__file__).parents[1] / "samples"
_OPENED = datetime(2025, 6, 1, 8, tzinfo=UTC)
_CUSTOMERS = 60
_DAYS = 180


@dataclass(frozen=True)
class Sold:
    """An order: its total is before the discount."""

    number: int
    customer: int
    at: datetime
    total: Decimal
    discount: Decimal
    category: str

    @property
    def net(self) -> Decimal:
        """What counts as sales."""
        return self.total - self.discount


def sold(count: int = 400) -> list[Sold]:
    """Orders of half a year, in order of time, the same ones each time."""
    random = Random(17)
    moments = sorted(random.uniform(0, _DAYS * 86_400) for _ in range(count))
    return [
        Sold(
            number=1_001 + index,
            customer=random.randrange(_CUSTOMERS),
            at=_OPENED + timedelta(seconds=int(moment)),
            total=Decimal(random.randrange(1_500, 20_000)).scaleb(-2),
            discount=Decimal(random.choice((0, 0, 500))).scaleb(-2),
            category=random.choice(("Books", "Toys", "Home")),
        )
        for index, moment in enumerate(moments)
    ]


def net_sales() -> Decimal:
    """Net sales of all orders."""
    return sum((order.net for order in sold()), Decimal(0))


def shop_events() -> Iterator[bytes]:
    """Each order as it was placed, then paid, with its lines in cents; carts among them, and an order cancelled."""
    for order in sold():
        for revision, status in ((1, "placed"), (2, "paid")):
            yield json.dumps({"event": f"order.{status}", "order": _nested(order, revision, status)}).encode()
        yield json.dumps({"event": "cart.viewed", "cart": {"items": 2}}).encode()
        if order.number % 50 == 0:
            for revision, status in ((2, "cancelled"), (1, "placed")):
                document = _nested(order, revision, status) | {"number": f"x-{order.number}"}
                yield json.dumps({"event": f"order.{status}", "order": document}).encode()


def _nested(order: Sold, revision: int, status: str) -> dict[str, Any]:
    return {
        "number": f"10-{order.number}",
        "revision": revision,
        "placed_at": int(order.at.timestamp()),
        "status": status,
        "currency": "EUR",
        "customer": {"ref": f"C-{order.customer}"},
        "lines": [{"sku": "A1", "category": order.category, "unit_cents": int(order.total * 100), "qty": 1}],
        "discount_cents": int(order.discount * 100),
    }


def webhooks() -> Iterator[bytes]:
    """Each order twice, as Shopify posts it: created, then paid. Test orders between them."""
    for order in sold():
        for seconds, status in ((0, "pending"), (90, "paid")):
            document = _webhook(order, order.at + timedelta(seconds=seconds), status)
            yield json.dumps(document).encode()
        if order.number % 50 == 0:
            yield json.dumps(_webhook(order, order.at, "paid") | {"id": -order.number, "test": True}).encode()


def _webhook(order: Sold, updated: datetime, status: str) -> dict[str, Any]:
    article = {"id": 1, "title": "Mug", "quantity": 1, "price": str(order.total), "product_type": order.category}
    return {
        "id": 5_600_000_000_000 + order.number,
        "admin_graphql_api_id": f"gid://shopify/Order/{5_600_000_000_000 + order.number}",
        "name": f"#{order.number}",
        "created_at": order.at.isoformat(),
        "processed_at": order.at.isoformat(),
        "updated_at": updated.isoformat(),
        "cancelled_at": None,
        "currency": "EUR",
        "financial_status": status,
        "test": False,
        "total_line_items_price": str(order.total),
        "total_discounts": str(order.discount),
        "total_price": str(order.net),
        "discount_codes": [{"code": "NEW5", "amount": str(order.discount)}] if order.discount else [],
        "payment_gateway_names": ["paypal"],
        "customer": {"id": 7_300_000_000_000 + order.customer, "email": "ada@example.com", "first_name": "Ada"},
        "line_items": [article],
        "refunds": [],
    }


def tracked() -> Iterator[bytes]:
    """Each order among the pages that led to it; every tenth is sent twice."""
    for order in sold():
        at = order.at.isoformat().replace("+00:00", "Z")
        who = {"userId": f"C-{order.customer}", "anonymousId": f"a-{order.customer}", "timestamp": at}
        yield json.dumps({"type": "page", "name": "Home", **who}).encode()
        bought = {
            "order_id": str(order.number),
            "total": float(order.net),
            "subtotal": float(order.total),
            "revenue": float(order.net),
            "shipping": 0,
            "tax": 0,
            "discount": float(order.discount),
            "currency": "EUR",
            "products": [{"price": float(order.total), "quantity": 1, "category": order.category}],
        }
        event = json.dumps({"type": "track", "event": "Order Completed", **who, "properties": bought}).encode()
        yield from [event] * (2 if order.number % 10 == 0 else 1)


def changes(schema_id: int) -> Iterator[bytes | None]:
    """Each order as its row was created, then paid, in Avro; some rows that are deleted, with their tombstones."""
    schema = fastavro.parse_schema(json.loads((SAMPLES / "debezium-orders.avsc").read_text(encoding="utf-8")))
    for place, order in enumerate(sold()):
        row = _row(order, "created")
        yield _framed(schema, schema_id, _change("c", None, row, 2 * place))
        yield _framed(schema, schema_id, _change("u", row, _row(order, "paid"), 2 * place + 1))
        if order.number % 50 == 0:
            mistaken = row | {"id": -order.number}
            yield _framed(schema, schema_id, _change("c", None, mistaken, 2 * place))
            yield _framed(schema, schema_id, _change("d", mistaken, None, 2 * place + 1))
            yield None


def _row(order: Sold, status: str) -> dict[str, Any]:
    return {
        "id": order.number,
        "customer_id": order.customer,
        "created_at": int(order.at.timestamp() * 1_000_000),
        "updated_at": order.at.isoformat().replace("+00:00", "Z"),
        "status": status,
        "total": order.total,
        "discount": order.discount,
        "refunded": Decimal("0.00"),
        "currency": "EUR",
        "coupon_code": None,
        "payment_method": "paypal",
        "channel": "web",
    }


def _change(op: str, before: dict[str, Any] | None, after: dict[str, Any] | None, position: int) -> dict[str, Any]:
    source = {
        "version": "3.3.1.Final",
        "connector": "postgresql",
        "name": "shop",
        "ts_ms": 1_767_261_600_000 + position,
        "snapshot": "false",
        "db": "shop",
        "schema": "public",
        "table": "orders",
        "lsn": 24_000_000 + position,
    }
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": source["ts_ms"]}


def _framed(schema: Any, schema_id: int, record: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, record)
    return b"\0" + schema_id.to_bytes(4) + body.getvalue()


def exported() -> str:
    """All orders as a spreadsheet of a shop in Germany exports them, without quotes where none are needed."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["Order No", "Customer", "Order Date", "Total", "Discount", "Status"])
    for order in sold():
        amounts = [str(amount).replace(".", ",") for amount in (order.total, order.discount)]
        table.writerow([order.number, f"C-{order.customer}", f"{order.at:%Y-%m-%d %H:%M}", *amounts, "Completed"])
    return text.getvalue()
