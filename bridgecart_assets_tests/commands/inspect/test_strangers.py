"""What `bridgecart inspect` proposes for orders in the shapes of systems that it has no preset for.

The records are made up, after the public descriptions of these systems.
"""

import json
import re
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.inspect.dry_run import dry_run
from bridgecart_assets.commands.inspect.look import look_at
from bridgecart_assets.commands.inspect.records import Header, Records

Value = Mapping[str, Any]

DOCS = Path(__file__).parents[3] / "docs"

WOOCOMMERCE: list[Value] = [
    {
        "id": 700 + n,
        "parent_id": 0,
        "status": status,
        "currency": "USD",
        "version": "8.2.1",
        "date_created": f"2025-03-0{n + 1}T05:00:00",
        "date_modified": f"2025-03-0{n + 1}T06:00:00",
        "discount_total": "1.00" if coupons else "0.00",
        "total": "29.35",
        "customer_id": 20 + n,
        "order_key": f"wc_order_{n}",
        "billing": {"first_name": "Ada", "last_name": "Muster", "email": "ada@shop.example", "phone": "555"},
        "payment_method": "bacs",
        "payment_method_title": "Direct bank transfer",
        "date_created_gmt": f"2025-03-0{n + 1}T10:00:00",
        "date_modified_gmt": f"2025-03-0{n + 1}T11:00:00",
        "line_items": [{"id": 315, "name": "Shirt", "quantity": 2, "subtotal": "6.00", "total": "6.00", "price": 3}],
        "coupon_lines": coupons,
        "refunds": refunds,
    }
    for n, (status, coupons, refunds) in enumerate(
        [
            ("completed", [{"id": 1, "code": "SPRING"}], []),
            ("completed", [], [{"id": 9, "reason": "", "total": "-5.00"}]),
            ("cancelled", [], []),
        ]
    )
]

STRIPE: list[Value] = [
    {
        "id": f"evt_{n}",
        "object": "event",
        "created": 1767261700 + n,
        "type": kind,
        "livemode": True,
        "data": {
            "object": {
                "id": f"ch_{n}",
                "object": "charge",
                "amount": 2990,
                "amount_captured": 2990,
                "amount_refunded": 0,
                "currency": "usd",
                "created": 1767261600 + n,
                "customer": f"cus_{n}",
                "status": "succeeded",
                "payment_method_details": {"type": "card", "card": {"brand": "visa"}},
            }
        },
    }
    for n, kind in enumerate(["charge.succeeded", "charge.succeeded", "charge.failed"])
]

SQUARE: list[Value] = [
    {
        "merchant_id": "M1",
        "type": "payment.updated",
        "event_id": f"e{n}",
        "created_at": f"2025-02-0{n + 1}T10:00:09Z",
        "data": {
            "type": "payment",
            "id": f"p{n}",
            "object": {
                "payment": {
                    "id": f"p{n}",
                    "created_at": f"2025-02-0{n + 1}T10:00:00Z",
                    "updated_at": f"2025-02-0{n + 1}T10:00:05Z",
                    "amount_money": {"amount": 1250, "currency": "USD"},
                    "total_money": {"amount": 1350, "currency": "USD"},
                    "customer_id": "C1",
                    "order_id": f"o{n}",
                    "status": status,
                    "source_type": "CARD",
                }
            },
        },
    }
    for n, status in enumerate(["COMPLETED", "CANCELED"])
]

COMMERCETOOLS: list[Value] = [
    {
        "id": "m1",
        "version": 1,
        "type": "OrderCreated",
        "sequenceNumber": 1,
        "createdAt": "2025-01-03T10:00:01.123Z",
        "order": {
            "type": "Order",
            "id": "ord1",
            "version": 4,
            "createdAt": "2025-01-03T10:00:00.100Z",
            "lastModifiedAt": "2025-01-03T10:00:00.900Z",
            "customerId": "u-1",
            "totalPrice": {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1999, "fractionDigits": 2},
            "orderState": "Open",
            "lineItems": [{"id": "l1", "quantity": 1, "price": {"value": {"centAmount": 1999, "currencyCode": "EUR"}}}],
        },
    }
]

MAGENTO: list[Value] = [
    {
        "entity_id": 12,
        "increment_id": "000000012",
        "state": state,
        "status": state,
        "coupon_code": "SPRING",
        "store_id": 1,
        "customer_id": 3,
        "customer_email": "ada@shop.example",
        "customer_firstname": "Ada",
        "customer_lastname": "Muster",
        "grand_total": "57.0000",
        "base_grand_total": "57.0000",
        "subtotal": "60.0000",
        "discount_amount": "-3.0000",
        "total_refunded": "10.0000",
        "order_currency_code": "EUR",
        "created_at": "2025-03-04 10:00:00",
        "updated_at": "2025-03-05 10:00:00",
    }
    for state in ("complete", "canceled")
]

BIGCOMMERCE: list[Value] = [
    {
        "id": 100,
        "customer_id": 10,
        "date_created": "Wed, 05 Feb 2025 20:17:01 +0000",
        "date_modified": "Mon, 10 Feb 2025 19:34:21 +0000",
        "status": "Completed",
        "subtotal_inc_tax": "85.0000",
        "total_inc_tax": "85.0000",
        "total_ex_tax": "80.0000",
        "refunded_amount": "0.0000",
        "discount_amount": "0.0000",
        "payment_method": "Manual",
        "currency_code": "USD",
    }
]

PRESTASHOP: list[Value] = [
    {
        "id": "5",
        "id_customer": "2",
        "reference": "XKBKNABJK",
        "payment": "Bank wire",
        "total_discounts": "0.000000",
        "total_paid": "55.000000",
        "total_paid_tax_incl": "55.000000",
        "date_add": "2025-03-04 10:00:00",
        "date_upd": "2025-03-04 10:05:00",
    }
]

AMAZON: list[Value] = [
    {
        "AmazonOrderId": "902-3159896-1390916",
        "PurchaseDate": "2025-01-15T00:00:00Z",
        "LastUpdateDate": "2025-01-17T00:00:00Z",
        "OrderStatus": status,
        "OrderTotal": {"CurrencyCode": "USD", "Amount": "25.00"},
        "PaymentMethod": "Other",
        "BuyerInfo": {"BuyerEmail": "b1@market.example"},
    }
    for status in ("Shipped", "Canceled")
]

ANALYTICS: list[Value] = [
    {
        "event_name": name,
        "event_timestamp": 1767261600000000,
        "user_pseudo_id": "1234.5678",
        "ecommerce": {"transaction_id": "T1", "purchase_revenue": 12.5} if name == "purchase" else None,
    }
    for name in ("page_view", "purchase", "page_view")
]

RETAIL: list[Value] = [
    {
        "InvoiceNo": "536365",
        "StockCode": code,
        "Description": "LANTERN, WHITE",
        "Quantity": quantity,
        "InvoiceDate": "12/31/2025 08:26",
        "UnitPrice": "2.55",
        "CustomerID": "17850",
        "Country": "United Kingdom",
    }
    for code, quantity in (("85123A", "6"), ("71053", "2"))
]

MARKETPLACE: list[Value] = [
    {
        "order_id": "e481f51c",
        "customer_unique_id": "7c396fd4",
        "order_status": "delivered",
        "order_purchase_timestamp": "2025-10-02 10:56:33",
        "order_delivered_customer_date": "2025-10-10 21:25:13",
        "payment_type": "boleto",
        "payment_value": "38,71",
    }
]

GERMAN: list[Value] = [
    {
        "Bestellnummer": "4711",
        "Bestelldatum": "31.01.2025 10:00",
        "Kundennummer": "K-1",
        "Gesamtbetrag": "1.234,50",
        "Rabatt": "12,00",
        "Zahlungsart": "Rechnung",
    }
]

FRENCH: list[Value] = [
    {"N° commande": "A1", "Date commande": "31/01/2025", "N° client": "C1", "Montant total": "12,50", "Remise": "1,00"}
]

SPANISH: list[Value] = [
    {"Número de pedido": "A1", "Fecha de pedido": "31/01/2025", "Cliente": "C1", "Importe total": "12,50"}
]

# As people see them in a spreadsheet, with the currency beside the amount.
SPREADSHEET: list[Value] = [
    {
        "Bestellnr.": f"B{n}",
        "Kundennr.": "K1",
        "Bestelldatum": f"{n}.02.2025 14:22",
        "Status": "storniert" if n == 13 else "bezahlt",
        "Bruttobetrag": amount,
        "Währung": "EUR",
        "Zahlart": "Rechnung",
        "Gutschein": None,
    }
    for n, amount in ((11, "1.234,50 €"), (12, "12,00 €"), (13, "5,00 €"))
]

ITALIAN: list[Value] = [
    {
        "Numero ordine": "A1",
        "Data ordine": "31/01/2025",
        "Codice cliente": "C1",
        "Importo totale": "1.234,50",
        "Sconto": "1,00",
        "Metodo di pagamento": "PayPal",
    }
]

SWISS: list[Value] = [
    {"Auftragsnr": "A1", "Auftragsdatum": "31.01.2025", "Kundennr": "C1", "Endbetrag": "CHF 1'234.50"},
    {"Auftragsnr": "A2", "Auftragsdatum": "31.01.2025", "Kundennr": "C2", "Endbetrag": "CHF 12.50"},
]

SUPERSTORE: list[Value] = [
    {
        "Row ID": str(n),
        "Order ID": "CA-2016-152156",
        "Order Date": "11/28/2016",
        "Ship Date": "11/30/2016",
        "Customer ID": "CG-12520",
        "Customer Name": "Ada Muster",
        "Category": "Furniture",
        "Sales": sales,
        "Quantity": "2",
        "Discount": discount,
    }
    for n, (sales, discount) in enumerate((("261.96", "0"), ("731.94", "0.2"), ("14.62", "0.15")))
]

PRICED: list[Value] = [
    {
        "Invoice": "489434",
        "StockCode": "85048",
        "Quantity": "12",
        "InvoiceDate": "2009-12-01 07:45:00",
        "Price": "6.95",
        "Customer ID": "13085.0",
    }
]

SHOPWARE: list[Value] = [
    {
        "orderNumber": "10001",
        "orderCustomer": {"customerNumber": "SW1", "email": "ada@shop.example", "firstName": "Ada", "lastName": "M"},
        "orderDateTime": "2025-01-01T10:00:00.000+00:00",
        "amountTotal": 119.9,
        "amountNet": 100.76,
        "stateMachineState": {"technicalName": state},
        "currency": {"isoCode": "EUR"},
        "updatedAt": "2025-01-01T11:00:00.000+00:00",
    }
    for state in ("open", "cancelled")
]

ETSY: list[Value] = [
    {
        "receipt_id": 1,
        "buyer_user_id": 2,
        "create_timestamp": 1700000000,
        "update_timestamp": 1700000100,
        "grandtotal": {"amount": 1250, "divisor": 100, "currency_code": "USD"},
        "discount_amt": {"amount": 100, "divisor": 100, "currency_code": "USD"},
        "status": status,
    }
    for status in ("Completed", "Canceled")
]

PAYPAL: list[Value] = [
    {
        "id": "WH-1",
        "create_time": "2025-01-01T10:00:05Z",
        "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "resource": {
            "id": "c1",
            "invoice_id": "o1",
            "amount": {"currency_code": "USD", "value": "30.00"},
            "create_time": "2025-01-01T10:00:00Z",
            "update_time": "2025-01-01T10:00:01Z",
            "payer": {"payer_id": "P1", "email_address": "ada@shop.example"},
            "status": "COMPLETED",
        },
    }
]

DATABASE: list[Value] = [
    {
        "ORDER_ID": "1",
        "CUST_ID": "C1",
        "ORDER_DT": "2025-01-01 10:00:00",
        "ORDER_AMT": "12.00",
        "ORDER_STATUS": "CANCELLED",
        "LAST_UPD_TS": "2025-01-01 11:00:00",
    }
]


def changed(n: int, operation: str = "c", **order: Any) -> Value:
    row = {"c": "after", "d": "before"}[operation]
    source = {"connector": "postgresql", "lsn": n, "ts_ms": 1767261600000}
    return {"before": None, "after": None, "source": source, "op": operation, "ts_ms": 1767261600500, row: order}


RENAMED: list[Value] = [
    changed(n, kind, order_no=f"B{order}", customer_no=f"K{order}", total=12.5, ordered_at=1767261600000000)
    for n, (kind, order) in enumerate([("c", 1), ("c", 2), ("d", 2)])
]

MONGODB: list[Value] = [
    {
        **changed(n),
        "source": {"connector": "mongodb", "ts_ms": 1767261600000, "ord": n},
        "after": json.dumps(
            {
                "_id": {"$oid": f"{n:024x}"},
                "customerId": f"u{n}",
                "createdAt": {"$date": 1767261600000 + n},
                "total": {"$numberDecimal": "19.95"},
                "lines": [{"price": 1.5, "quantity": 2}],
            }
        ),
    }
    for n in range(2)
]

OUTBOX: list[Value] = [
    {
        "id": f"7d0c-{n}",
        "aggregatetype": "order",
        "type": "OrderPlaced",
        "payload": json.dumps(
            {"orderId": n, "customerId": f"C{n}", "total": 12.5, "placedAt": "2025-02-03T10:00:00Z", "to be": "gone"}
        ),
    }
    for n in range(2)
]

TOTALLED: list[Value] = [
    {"order_no": "N1", "customer_no": "K1", "ordered_at": "2025-02-03T10:00:00Z", "price": 2, "qty": 3, "line_total": 5}
    for _ in range(2)
]

BILLIONTHS: list[Value] = [
    {
        "order": {
            "order_id": f"{n}",
            "customer": "customers/7",
            "create_time": "2025-02-03T10:00:00Z",
            "total": {"currency_code": "USD", "units": "12", **nanos},
        }
    }
    for n, nanos in enumerate([{"nanos": 500000000}, {}])
]

SHORT: list[Value] = [{"ts": 1767261600123456789 + n, "uid": 7, "oid": f"{n:x}", "amt": "USD 12.50"} for n in range(2)]


WITHIN_A_COLUMN: list[Value] = [
    {
        "id": str(n),
        "created_at": "2025-02-03 10:00:00+00",
        "data": json.dumps({"customer": {"id": "C7"}, "total": 12.5}),
    }
    for n in range(2)
]

LINES_AFTER_THE_FIRST: list[Value] = [
    {
        "Name": "#1",
        "Id": "51",
        "Email": "ada@shop.example",
        "Total": "12.50",
        "Created at": "2025-02-03 10:00:00 +0000",
    },
    {"Name": "#1", "Id": "", "Email": "ada@shop.example", "Total": "", "Created at": "2025-02-03 10:00:00 +0000"},
]

TILL: list[Value] = [
    {"Date": "2025-02-03", "Time": "10:00:00", "Transaction ID": str(n), "Customer ID": "7", "Net Sales": "$1,012.50"}
    for n in range(2)
]


PARTS: list[Value] = [
    {"orderId": f"{n}", "customerId": "C1", "total": 12.5, "createdAt": created}
    for n, created in enumerate([[2025, 2, 3, 10, 0], [2025, 2, 3, 10, 0, 5, 250000000]])
]

PLACED = {"orderId": "O1", "customerId": "C1", "totalAmount": 12.5, "currency": "EUR"}


def happened(minute: int, kind: str, **payload: Any) -> Value:
    return {"meta": {"eventType": kind, "occurredAt": f"2025-02-03T10:0{minute}:00Z"}, "payload": payload}


EVENTS: list[Value] = [
    happened(0, "OrderPlaced", **PLACED),
    happened(1, "OrderShipped", orderId="O1", carrier="a van"),
    happened(2, "OrderPlaced", **{**PLACED, "orderId": "O2"}),
    happened(3, "OrderCancelled", orderId="O2", reason="too late"),
    happened(4, "CustomerMoved", customerId="C1", street="Elm Street"),
]


DIGITS_OF = "regexp_replace({}, '[^0-9.,+-]', '', 'g')"

EXPECTED: dict[str, tuple[list[Value], dict[str, str]]] = {
    "WooCommerce": (
        WOOCOMMERCE,
        {
            "order_id": "value.id",
            "version": "epoch_us((value.date_modified_gmt || 'Z')::timestamptz)",
            "is_void": "value.status = 'cancelled'",
            "customer_id": "value.customer_id",
            "purchase_date": "(value.date_created_gmt || 'Z')::timestamptz",
            "purchase_amount": "value.total",
            "discount_amount": "value.discount_total",
            "refunded_amount": "total_of([abs(r.total::decimal(18, 2)) for r in value.refunds])",
            "refunded_date": "(value.date_modified_gmt || 'Z')::timestamptz",
            "currency": "value.currency",
            "coupon_used": "len(value.coupon_lines) > 0",
            "payment_method": "value.payment_method",
            "name": "concat_ws(' ', value.billing.first_name, value.billing.last_name)",
            "mobile": "value.billing.phone",
        },
    ),
    "Stripe": (
        STRIPE,
        {
            "order_id": "value.data.object.id",
            "customer_id": "value.data.object.customer",
            "purchase_date": "to_timestamp(value.data.object.created::bigint)",
            "purchase_amount": "value.data.object.amount",
            "currency": "value.data.object.currency",
            "payment_method": "value.data.object.payment_method_details.type",
        },
    ),
    "Square": (
        SQUARE,
        {
            "order_id": "value.data.object.payment.order_id",
            "version": "epoch_us(value.data.object.payment.updated_at::timestamptz)",
            "is_void": "value.data.object.payment.status = 'CANCELED'",
            "customer_id": "value.data.object.payment.customer_id",
            "purchase_date": "value.data.object.payment.created_at::timestamptz",
            "purchase_amount": "value.data.object.payment.total_money.amount",
            "currency": "value.data.object.payment.total_money.currency",
        },
    ),
    "commercetools": (
        COMMERCETOOLS,
        {
            "order_id": "value.order.id",
            "version": "value.order.version",
            "customer_id": "value.order.customerId",
            "purchase_date": "value.order.createdAt::timestamptz",
            "purchase_amount": "value.order.totalPrice.centAmount",
            "currency": "value.order.totalPrice.currencyCode",
        },
    ),
    "Magento": (
        MAGENTO,
        {
            "order_id": "value.increment_id",
            "version": "epoch_us(value.updated_at::timestamptz)",
            "is_void": "value.status = 'canceled'",
            "customer_id": "value.customer_id",
            "purchase_date": "value.created_at::timestamptz",
            "purchase_amount": "value.grand_total",
            "discount_amount": "abs(value.discount_amount::decimal(18, 2))",
            "refunded_amount": "value.total_refunded",
            "refunded_date": "value.updated_at::timestamptz",
            "currency": "value.order_currency_code",
            "coupon_used": "value.coupon_code is not null",
            "name": "concat_ws(' ', value.customer_firstname, value.customer_lastname)",
        },
    ),
    "BigCommerce": (
        BIGCOMMERCE,
        {
            "order_id": "value.id",
            "version": "epoch_us(strptime(value.date_modified, '%a, %d %b %Y %H:%M:%S %z'))",
            "customer_id": "value.customer_id",
            "purchase_date": "strptime(value.date_created, '%a, %d %b %Y %H:%M:%S %z')",
            "purchase_amount": "value.total_inc_tax",
            "discount_amount": "value.discount_amount",
            "refunded_amount": "value.refunded_amount",
            "refunded_date": "strptime(value.date_modified, '%a, %d %b %Y %H:%M:%S %z')",
            "currency": "value.currency_code",
            "payment_method": "value.payment_method",
        },
    ),
    "PrestaShop": (
        PRESTASHOP,
        {
            "order_id": "value.reference",
            "version": "epoch_us(value.date_upd::timestamptz)",
            "customer_id": "value.id_customer",
            "purchase_date": "value.date_add::timestamptz",
            "purchase_amount": "value.total_paid",
            "discount_amount": "value.total_discounts",
            "payment_method": "value.payment",
        },
    ),
    "Amazon": (
        AMAZON,
        {
            "order_id": "value.AmazonOrderId",
            "version": "epoch_us(value.LastUpdateDate::timestamptz)",
            "is_void": "value.OrderStatus = 'Canceled'",
            "customer_id": "value.BuyerInfo.BuyerEmail",
            "purchase_date": "value.PurchaseDate::timestamptz",
            "purchase_amount": "value.OrderTotal.Amount",
            "currency": "value.OrderTotal.CurrencyCode",
            "payment_method": "value.PaymentMethod",
        },
    ),
    "web analytics": (
        ANALYTICS,
        {
            "order_id": "value.ecommerce.transaction_id",
            "customer_id": "value.user_pseudo_id",
            "purchase_date": "make_timestamptz(value.event_timestamp::bigint)",
            "purchase_amount": "value.ecommerce.purchase_revenue",
        },
    ),
    "lines of invoices": (
        RETAIL,
        {
            "order_id": "value.InvoiceNo",
            "customer_id": "value.CustomerID",
            "purchase_date": "strptime(value.InvoiceDate, '%m/%d/%Y %H:%M')",
            "purchase_amount": "value.UnitPrice::decimal(18, 2) * value.Quantity::bigint",
        },
    ),
    "marketplace": (
        MARKETPLACE,
        {
            "order_id": "value.order_id",
            "customer_id": "value.customer_unique_id",
            "purchase_date": "value.order_purchase_timestamp::timestamptz",
            "purchase_amount": "replace(replace(value.payment_value, '.', ''), ',', '.')",
            "payment_method": "value.payment_type",
        },
    ),
    "superstore": (
        SUPERSTORE,
        {
            "order_id": 'value."Order ID"',
            "customer_id": 'value."Customer ID"',
            "purchase_date": "strptime(value.\"Order Date\", '%m/%d/%Y')",
            "purchase_amount": "value.Sales",
            "product_category": "value.Category",
            "name": 'value."Customer Name"',
        },
    ),
    "lines with prices": (
        PRICED,
        {
            "order_id": "value.Invoice",
            "customer_id": 'value."Customer ID"',
            "purchase_date": "value.InvoiceDate::timestamptz",
            "purchase_amount": "value.Price::decimal(18, 2) * value.Quantity::bigint",
        },
    ),
    "Shopware": (
        SHOPWARE,
        {
            "order_id": "value.orderNumber",
            "version": "epoch_us(value.updatedAt::timestamptz)",
            "is_void": "value.stateMachineState.technicalName = 'cancelled'",
            "customer_id": "value.orderCustomer.customerNumber",
            "purchase_date": "value.orderDateTime::timestamptz",
            "purchase_amount": "value.amountTotal",
            "currency": "value.currency.isoCode",
            "name": "concat_ws(' ', value.orderCustomer.firstName, value.orderCustomer.lastName)",
        },
    ),
    "Etsy": (
        ETSY,
        {
            "order_id": "value.receipt_id",
            "version": "value.update_timestamp",
            "is_void": "value.status = 'Canceled'",
            "customer_id": "value.buyer_user_id",
            "purchase_date": "to_timestamp(value.create_timestamp::bigint)",
            "purchase_amount": "value.grandtotal.amount",
            "discount_amount": "value.discount_amt.amount",
            "currency": "value.grandtotal.currency_code",
        },
    ),
    "PayPal": (
        PAYPAL,
        {
            "order_id": "value.resource.invoice_id",
            "version": "epoch_us(value.resource.update_time::timestamptz)",
            "customer_id": "value.resource.payer.payer_id",
            "purchase_date": "value.resource.create_time::timestamptz",
            "purchase_amount": "value.resource.amount.value",
            "currency": "value.resource.amount.currency_code",
        },
    ),
    "a database's columns": (
        DATABASE,
        {
            "order_id": "value.ORDER_ID",
            "version": "epoch_us(value.LAST_UPD_TS::timestamptz)",
            "is_void": "value.ORDER_STATUS = 'CANCELLED'",
            "customer_id": "value.CUST_ID",
            "purchase_date": "value.ORDER_DT::timestamptz",
            "purchase_amount": "value.ORDER_AMT",
        },
    ),
    "German": (
        GERMAN,
        {
            "order_id": "value.Bestellnummer",
            "customer_id": "value.Kundennummer",
            "purchase_date": "strptime(value.Bestelldatum, '%d.%m.%Y %H:%M')",
            "purchase_amount": "replace(replace(value.Gesamtbetrag, '.', ''), ',', '.')",
            "discount_amount": "replace(replace(value.Rabatt, '.', ''), ',', '.')",
            "payment_method": "value.Zahlungsart",
        },
    ),
    "French": (
        FRENCH,
        {
            "order_id": 'value."N° commande"',
            "customer_id": 'value."N° client"',
            "purchase_date": "strptime(value.\"Date commande\", '%d/%m/%Y')",
            "purchase_amount": "replace(replace(value.\"Montant total\", '.', ''), ',', '.')",
            "discount_amount": "replace(replace(value.Remise, '.', ''), ',', '.')",
        },
    ),
    "Spanish": (
        SPANISH,
        {
            "order_id": 'value."Número de pedido"',
            "customer_id": "value.Cliente",
            "purchase_date": "strptime(value.\"Fecha de pedido\", '%d/%m/%Y')",
            "purchase_amount": "replace(replace(value.\"Importe total\", '.', ''), ',', '.')",
        },
    ),
    "a spreadsheet": (
        SPREADSHEET,
        {
            "order_id": 'value."Bestellnr."',
            "customer_id": 'value."Kundennr."',
            "purchase_date": "strptime(value.Bestelldatum, '%d.%m.%Y %H:%M')",
            "purchase_amount": f"replace(replace({DIGITS_OF.format('value.Bruttobetrag')}, '.', ''), ',', '.')",
            "currency": 'value."Währung"',
            "payment_method": "value.Zahlart",
        },
    ),
    "Italian": (
        ITALIAN,
        {
            "order_id": 'value."Numero ordine"',
            "customer_id": 'value."Codice cliente"',
            "purchase_date": "strptime(value.\"Data ordine\", '%d/%m/%Y')",
            "purchase_amount": "replace(replace(value.\"Importo totale\", '.', ''), ',', '.')",
            "discount_amount": "replace(replace(value.Sconto, '.', ''), ',', '.')",
            "payment_method": 'value."Metodo di pagamento"',
        },
    ),
    "Swiss": (
        SWISS,
        {
            "order_id": "value.Auftragsnr",
            "customer_id": "value.Kundennr",
            "purchase_date": "strptime(value.Auftragsdatum, '%d.%m.%Y')",
            "purchase_amount": DIGITS_OF.format("value.Endbetrag"),
        },
    ),
    "a table whose key has a name of its own": (
        RENAMED,
        {
            "order_id": "coalesce(value.after.order_no, value.before.order_no)",
            "customer_id": "value.after.customer_no",
            "purchase_date": "make_timestamptz(value.after.ordered_at::bigint)",
            "purchase_amount": "value.after.total",
        },
    ),
    "MongoDB": (
        MONGODB,
        {
            "version": "value.source.ts_ms::hugeint * 1000000 + value.source.ord::hugeint",
            "order_id": (
                "coalesce(json_extract_string(value.after, '$._id.\"$oid\"'), "
                "json_extract_string(value.before, '$._id.\"$oid\"'))"
            ),
            "customer_id": "json_extract_string(value.after, '$.customerId')",
            "purchase_date": (
                "make_timestamptz(json_extract_string(value.after, '$.createdAt.\"$date\"')::bigint * 1000)"
            ),
            "purchase_amount": "json_extract_string(value.after, '$.total.\"$numberDecimal\"')",
        },
    ),
    "an outbox": (
        OUTBOX,
        {
            "order_id": "json_extract_string(value.payload, '$.orderId')",
            "customer_id": "json_extract_string(value.payload, '$.customerId')",
            "purchase_date": "json_extract_string(value.payload, '$.placedAt')::timestamptz",
            "purchase_amount": "json_extract_string(value.payload, '$.total')",
        },
    ),
    "lines with totals": (
        TOTALLED,
        {
            "order_id": "value.order_no",
            "customer_id": "value.customer_no",
            "purchase_date": "value.ordered_at::timestamptz",
            "purchase_amount": "value.line_total",
        },
    ),
    "units and billionths": (
        BILLIONTHS,
        {
            "order_id": "value.order.order_id",
            "customer_id": "value.order.customer",
            "purchase_date": "value.order.create_time::timestamptz",
            "purchase_amount": (
                "value.order.total.units::decimal(18, 2) + coalesce(value.order.total.nanos::bigint, 0) * 0.000000001"
            ),
            "currency": "value.order.total.currency_code",
        },
    ),
    "short names": (
        SHORT,
        {
            "order_id": "value.oid",
            "customer_id": "value.uid",
            "purchase_date": "make_timestamptz(value.ts::bigint // 1000)",
            "purchase_amount": DIGITS_OF.format("value.amt"),
        },
    ),
    "a date in parts": (
        PARTS,
        {
            "order_id": "value.orderId",
            "customer_id": "value.customerId",
            "purchase_date": (
                "make_timestamp(value.createdAt[1]::bigint, value.createdAt[2]::bigint, value.createdAt[3]::bigint, "
                "coalesce(value.createdAt[4]::bigint, 0), coalesce(value.createdAt[5]::bigint, 0), "
                "coalesce(value.createdAt[6]::bigint, 0))"
            ),
            "purchase_amount": "value.total",
        },
    ),
    "events of an order's life": (
        EVENTS,
        {
            "order_id": "value.payload.orderId",
            "customer_id": "value.payload.customerId",
            "purchase_date": "value.meta.occurredAt::timestamptz",
            "purchase_amount": "value.payload.totalAmount",
            "currency": "value.payload.currency",
            "version": "epoch_us(value.meta.occurredAt::timestamptz)",
            "is_void": "value.meta.eventType = 'OrderCancelled'",
        },
    ),
    "JSON in a column": (
        WITHIN_A_COLUMN,
        {
            "order_id": "value.id",
            "customer_id": "json_extract_string(value.data, '$.customer.id')",
            "purchase_date": "value.created_at::timestamptz",
            "purchase_amount": "json_extract_string(value.data, '$.total')",
        },
    ),
    "lines after the first": (
        LINES_AFTER_THE_FIRST,
        {
            "order_id": "value.Id",
            "customer_id": "value.Email",
            "purchase_date": "regexp_replace(value.\"Created at\", ' ([+-]|Z$)', '\\1')::timestamptz",
            "purchase_amount": "value.Total",
        },
    ),
    "a till": (
        TILL,
        {
            "order_id": 'value."Transaction ID"',
            "customer_id": 'value."Customer ID"',
            "purchase_date": "(value.Date || ' ' || value.Time)::timestamptz",
            "purchase_amount": "replace(" + DIGITS_OF.format('value."Net Sales"') + ", ',', '')",
        },
    ),
}


def mapping_of(values: list[Value], kinds: Sequence[str] | None = None) -> str:
    """The mapping proposed for records with these values, and the kind of each in a header."""
    contents = [json.dumps(value).encode() for value in values]
    nothing = [None] * len(values)
    named: Sequence[Sequence[Header]] = [[{"name": "eventType", "value": kind.encode()}] for kind in kinds or ()]
    headers = named or nothing
    return str(look_at(Records("a test", contents, nothing, headers), Settings()).mapping)


@pytest.mark.parametrize("system", EXPECTED)
def test_the_fields_of_a_strangers_order_are_found(system: str):
    values, fields = EXPECTED[system]
    assert tomllib.loads(mapping_of(values))["order"] == fields


@pytest.mark.parametrize(
    ("system", "orders", "net_sales"),
    [
        ("WooCommerce", 2, "52.70"),
        ("Square", 1, "13.50"),
        ("commercetools", 1, "19.99"),
        ("Amazon", 0, None),
        ("web analytics", 1, "12.50"),
        ("marketplace", 1, "38.71"),
        ("German", 1, "1222.50"),
        ("a spreadsheet", 2, "1246.50"),
        ("Italian", 1, "1233.50"),
        ("Swiss", 2, "1247.00"),
        ("a table whose key has a name of its own", 1, "12.50"),
        ("MongoDB", 2, "39.90"),
        ("an outbox", 2, "25.00"),
        ("units and billionths", 2, "24.50"),
        ("short names", 2, "25.00"),
        ("a date in parts", 2, "25.00"),
        ("events of an order's life", 1, "12.50"),
        ("JSON in a column", 2, "25.00"),
        ("lines after the first", 1, "12.50"),
        ("a till", 2, "2025.00"),
    ],
)
def test_a_proposal_counts_a_strangers_orders_as_it_stands(
    system: str, orders: int, net_sales: str | None, settings: Settings, tmp_path: Path
):
    values, _ = EXPECTED[system]
    mapping, file = tmp_path / "mapping.toml", tmp_path / "orders.ndjson"
    text = mapping_of(values)
    mapping.write_text(text.replace("# minor_units", "minor_units"), encoding="utf-8")
    file.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    tried = dry_run(mapping, file, 100, settings)
    assert (tried.events["orders"], tried.events["rejected"]) == (orders, 0), tried.rejections
    assert [str(month["net_sales"]) for month in tried.months] == ([net_sales] if net_sales else [])


def test_cents_are_told_by_their_name_whichever_end_it_has():
    assert "\nminor_units = true" in mapping_of(COMMERCETOOLS)


def test_kinds_of_events_that_look_alike_are_named_with_their_counts_for_a_person_to_choose():
    assert (
        "# The records have several kinds: charge.succeeded (2), charge.failed (1). Which are orders?\n"
        "# where = \"value.type = 'charge.succeeded'\"\n"
    ) in mapping_of(STRIPE)


def test_records_without_an_id_and_an_amount_are_left_out_and_counted():
    said = "[records]\n# 1 of 2 records are orders\nwhere = \"nullif(value.Id::varchar, '') is not null\"\n"
    assert said in mapping_of(LINES_AFTER_THE_FIRST)
    priced: list[Value] = [*LINES_AFTER_THE_FIRST, {**LINES_AFTER_THE_FIRST[1], "Total": "3.00"}]
    assert "where" not in mapping_of(priced)


def test_kinds_of_events_are_chosen_that_say_all_of_an_order_and_those_that_end_one():
    chosen = "value.meta.eventType in ('OrderCancelled', 'OrderPlaced')"
    assert f'[records]\n# 2 of 5 records are orders\nwhere = "{chosen}"\n' in mapping_of(EVENTS)
    assert "where = \"value.meta.eventType = 'OrderPlaced'\"" in mapping_of(EVENTS[:2])


def test_a_list_of_orders_in_a_record_is_named():
    orders = [{"orderId": f"O{n}", "customerId": "C1", "total": 12.5} for n in range(3)]
    assert (
        "\n# value.orders lists what looks like orders, and a record has to be one: split them before.\n"
        in mapping_of([{"sentAt": "2025-02-03T10:00:00Z", "orders": orders}])
    )
    assert "lists what looks like orders" not in mapping_of(WOOCOMMERCE)


def test_a_kind_may_stand_in_a_header():
    text = mapping_of([PLACED, {"orderId": "O1"}, {"orderId": "O1"}], ["placed", "shipped", "cancelled"])
    assert "where = \"headers['eventType'] in ('cancelled', 'placed')\"" in text


def test_an_end_of_an_order_that_says_all_of_it_again_makes_it_void():
    text = mapping_of([EVENTS[0], happened(1, "OrderCancelled", **PLACED)])
    assert "# 1 of 2 records are orders\n" in text
    assert tomllib.loads(text)["order"]["is_void"] == "value.meta.eventType = 'OrderCancelled'"


def test_an_end_of_an_order_without_a_time_is_the_latest_by_when_it_was_sent():
    ends: list[Value] = [{"type": "order_placed", **PLACED}, {"type": "order_voided", "orderId": "O1"}]
    assert (
        "# unsure: by when it was sent, which a file does not say\n"
        'version          = "epoch_us(timestamp)"\n'
        "is_void          = \"value.type = 'order_voided'\"\n"
    ) in mapping_of(ends)


def test_refunds_that_say_as_much_as_an_order_are_left_out_and_named():
    paid_back = happened(5, "OrderRefunded", **PLACED)
    assert (
        "[records]\n# 1 of 3 records are orders\n"
        "# unsure: OrderRefunded (1) say as much: docs/your-topic.md tells how refunds count\n"
        "where = \"value.meta.eventType = 'OrderPlaced'\"\n"
    ) in mapping_of([*EVENTS[:2], paid_back])


def test_refunds_with_events_of_their_own_are_counted_by_the_mapping_of_the_guide(settings: Settings, tmp_path: Path):
    (shown,) = re.findall(r"```toml\n(.*?)```", (DOCS / "your-topic.md").read_text(encoding="utf-8"), re.DOTALL)
    (mapping := tmp_path / "mapping.toml").write_text(f"format = 1\n{textwrap.dedent(shown)}", encoding="utf-8")
    paid_back = happened(5, "OrderRefunded", **{**PLACED, "totalAmount": 2.25})
    events = [{**one, "meta": {**one["meta"], "eventId": f"e{n}"}} for n, one in enumerate([*EVENTS, paid_back])]
    (file := tmp_path / "events.ndjson").write_text("".join(json.dumps(one) + "\n" for one in events), encoding="utf-8")
    tried = dry_run(mapping, file, 100, settings)
    assert (tried.events["orders"], tried.events["void"], tried.events["rejected"]) == (2, 1, 0), tried.rejections
    assert [(str(one["sales"]), str(one["refunds"])) for one in tried.months] == [("12.50", "-2.25")]


def test_a_kind_that_has_orders_and_others_tells_nothing():
    mixed: list[Value] = [{**EVENTS[0]}, {**EVENTS[1], "meta": EVENTS[0]["meta"]}]
    assert "where" not in mapping_of(mixed)


def test_several_kinds_that_say_all_of_an_order_are_a_question_for_a_person():
    again = happened(5, "OrderExported", **PLACED)
    assert "# unsure: OrderPlaced (2), OrderExported (1) say all of an order\nwhere" in mapping_of([*EVENTS, again])


def test_changes_of_rows_are_all_kept_and_a_deletion_makes_an_order_void():
    values: list[Value] = [
        {"type": kind, "data": {"id": 1, "customer_id": 2}} for kind in ("insert", "update", "delete")
    ]
    assert "Which are orders" not in mapping_of(values[:2])
    text = mapping_of(values)
    assert "where = \"value.type in ('delete', 'insert', 'update')\"" in text
    assert tomllib.loads(text)["order"]["is_void"] == "value.type = 'delete'"
    assert "unsure: insert" not in text


def test_lines_in_records_of_their_own_name_the_setting_that_sums_them():
    assert (
        "# unsure: the amount of a line: with several records an order, set BRIDGECART_ORDER_EVENTS=lines\n"
        "purchase_amount "
    ) in mapping_of(RETAIL)


def test_an_order_in_several_records_without_a_version_is_a_question_for_a_person():
    said = "# unsure: several records an order: BRIDGECART_ORDER_EVENTS says whether they are its lines or its states\n"
    assert said in mapping_of(SUPERSTORE)
    assert said not in mapping_of(SHOPWARE)
    assert said not in mapping_of(GERMAN)


def test_refunds_with_a_time_of_their_own_are_listed_with_it():
    refunds = [{"refunded_at": "2025-03-09T10:00:00Z", "amount": "5.00"}]
    fields = tomllib.loads(mapping_of([{"order_id": "1", "revision": 2, "total": "20.00", "refunds": refunds}]))[
        "order"
    ]
    assert fields["refunds"] == (
        "[{'at': r.refunded_at::timestamptz, 'amount': abs(r.amount::decimal(18, 2))} for r in value.refunds]"
    )
    assert "refunded_amount" not in fields


def test_a_total_that_may_have_the_discount_off_already_names_the_setting_that_says_so():
    said = "# unsure: if value.total is what was paid, after it, set BRIDGECART_AMOUNT_IS_NET=true\ndiscount_amount "
    assert said in mapping_of(WOOCOMMERCE)
    before: list[Value] = [{"order_id": "1", "customer_id": "C", "subtotal": "20.00", "discount": "1.00"}]
    assert "BRIDGECART_AMOUNT_IS_NET" not in mapping_of(before)


@pytest.mark.parametrize(
    ("guest", "customer"),
    [
        (0, "coalesce(nullif(value.customer_id::varchar, '0'), 'guest:' || sha256(lower(value.billing.email)))"),
        (None, "coalesce(value.customer_id::varchar, 'guest:' || sha256(lower(value.billing.email)))"),
        (7, "value.customer_id"),
    ],
)
def test_guests_are_told_apart_by_their_email(guest: int | None, customer: str):
    values = [*WOOCOMMERCE, {**WOOCOMMERCE[0], "customer_id": guest}]
    assert tomllib.loads(mapping_of(values))["order"]["customer_id"] == customer


def test_orders_of_guests_are_read_by_the_proposal(settings: Settings, tmp_path: Path):
    guests = [
        {**WOOCOMMERCE[n], "customer_id": 0, "billing": {"email": f"guest{n}@shop.example"}, "id": n} for n in range(2)
    ]
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(mapping_of([*WOOCOMMERCE, *guests]), encoding="utf-8")
    (file := tmp_path / "orders.ndjson").write_text("".join(json.dumps(one) + "\n" for one in guests), encoding="utf-8")
    assert dry_run(mapping, file, 10, settings).events["orders"] == 2


def test_an_order_that_never_came_about_is_void_and_one_that_waits_for_its_money_is_named():
    states = ("completed", "cancelled", "failed", "checkout-draft", "pending", "on-hold")
    values: list[Value] = [{**WOOCOMMERCE[0], "id": n, "status": state} for n, state in enumerate(states)]
    assert (
        "# unsure: on-hold, pending count as orders: list them too if nobody pays these later\n"
        "is_void          = \"value.status in ('cancelled', 'checkout-draft', 'failed')\"\n"
    ) in mapping_of(values)


def test_without_a_version_orders_that_never_came_about_are_left_out(settings: Settings, tmp_path: Path):
    values: list[Value] = [{k: v for k, v in value.items() if "modified" not in k} for value in WOOCOMMERCE]
    text = mapping_of(values)
    assert (
        "[records]\n# Nothing tells which record of an order is its latest: one that is cancelled later still counts.\n"
        "where = \"not coalesce(value.status = 'cancelled', false)\"\n"
    ) in text
    assert "is_void" not in text
    (mapping := tmp_path / "mapping.toml").write_text(text, encoding="utf-8")
    (file := tmp_path / "orders.ndjson").write_text("".join(json.dumps(one) + "\n" for one in values), encoding="utf-8")
    tried = dry_run(mapping, file, 10, settings)
    assert (tried.events["orders"], tried.events["skipped"]) == (2, 1)


def test_a_currency_in_small_letters_is_one():
    assert '\ncurrency = "USD"\n' in mapping_of(STRIPE)
