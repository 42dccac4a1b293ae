"""The contract of the event: one record a field. What a record of the topic must be to count as an order.

From here come the fields that silver's SQL reads, the reason codes and their order, the columns of `silver.orders` and
`silver.customers`, the canonical spellings and the documents. A new optional field is one more record at the end of
`EVENT`, and a line in `warehouse/storage/migrations.py`. How the SQL says it: `sql/event_lines.py`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from bridgecart_assets.contracts.contract import INSTANT, MONEY, Column


@dataclass(frozen=True)
class Text:
    """A string; a whole number counts as one, also as pandas writes it: 17850.0. Blank is as good as missing."""

    longest: int = 200

    sql_type = "VARCHAR"
    json = "string, or a whole number"

    @property
    def limits(self) -> str:
        """The range, in words."""
        return f"at most {self.longest:,} characters"


@dataclass(frozen=True)
class Instant:
    """A string with a date and a time, in one of `TIME_FORMS`. The end of its range is exclusive."""

    earliest: str
    before: str

    sql_type = INSTANT
    json = "string, ISO 8601 or RFC 3339"

    @property
    def limits(self) -> str:
        """The range, in words."""
        return f"from {self.earliest}, before {self.before}, UTC"


@dataclass(frozen=True)
class Money:
    """A decimal number, rounded to cents once, from all digits that were written."""

    lowest: int
    highest: int

    sql_type = MONEY
    json = "number, or a string with one"

    @property
    def limits(self) -> str:
        """The range, in words."""
        return f"{self.lowest:,} to {self.highest:,}"


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    lowest: int
    highest: int

    sql_type = "INTEGER"
    json = "whole number, or a string with one"

    @property
    def limits(self) -> str:
        """The range, in words."""
        return f"{self.lowest:,} to {self.highest:,}"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    sql_type = "BOOLEAN"
    json = "true or false; also yes, no, 1, 0, 1.0, 0.0"
    limits = ""


FieldType = Text | Instant | Money | Whole | Flag


@dataclass(frozen=True)
class Version:
    """A whole number of up to 38 digits, of which the highest is the newest."""

    sql_type = "DECIMAL(38,0)"


@dataclass(frozen=True)
class Refunds:
    """A list of refunds, each with its instant and its amount."""

    sql_type = 'STRUCT("at" TIMESTAMPTZ, amount DECIMAL(18,2))[]'


MappedType = FieldType | Version | Refunds


class Home(Enum):
    """The table that a field ends in."""

    ORDERS = "silver.orders"
    CUSTOMERS = "silver.customers"


@dataclass(frozen=True)
class Refusal:
    """A further way for a field to be wrong, in SQL over the fields' values, with the reason code that it gets."""

    code: str
    when: str


@dataclass(frozen=True, kw_only=True)
class EventField:
    """One field of the event.

    `stored_as` is its column where that has another name; without `is_stored` there is none, because other columns are
    computed from it. `default` is what it is when it is missing, in SQL. `personal` fields say who the customer is, or
    what they are like. `refusals` come after the type's own, `early_refusals` before the upper end of its range: a
    required field costs the order, an optional one only itself, and counts as missing; but `rejections` cost the order
    always. `plain_if` is the SQL under
    which none of these applies: a record of which every field is plainly right takes the short way. `spellings` has the
    canonical spelling of each lookup key: letters and digits alone, in lower case.
    """

    name: str
    type: FieldType
    meaning: str
    example: object
    home: Home = Home.ORDERS
    stored_as: str | None = None
    is_stored: bool = True
    required: bool = False
    default: str | None = None
    personal: bool = False
    early_refusals: tuple[Refusal, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    rejections: tuple[Refusal, ...] = ()
    plain_if: str | None = None
    spellings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def stored(self) -> Column | None:
        """Its column in the table that it ends in."""
        if not self.is_stored:
            return None
        nullable = not self.required and self.default is None
        return Column(self.stored_as or self.name, self.type.sql_type, self.meaning, nullable=nullable)

    @property
    def reasons(self) -> tuple[str, ...]:
        """All reason codes that it can be given, in the order in which they are asked for."""
        further = (*self.early_refusals, *self.refusals, *self.rejections)
        codes = (
            *((f"missing_{self.name}",) if self.required else ()),
            f"bad_{self.name}",
            *((f"out_of_range_{self.name}",) if self.type.limits else ()),
            *(refusal.code for refusal in further),
        )
        return tuple(dict.fromkeys(codes))


TIME_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "2025-03-04T09:55:00Z": "ISO 8601 and RFC 3339; also with small letters",
        "2025-03-04 09:55:00.123456789+01:00": "a space for the T, fractions of a second, of which six digits count",
        "2025-03-04T09:55:00,123Z": "a comma before the fractions",
        "2025-03-04 09:55:00 +0100": "a space before the offset, which may go without its colon and its minutes",
        "2025-03-04 09:55:00 UTC": "the name of a time zone of the IANA database",
        "2025/03/04 09:55": "the year first and slashes; without seconds; without a zone",
        "2025-03-04": "a day, which is its first instant",
        "2016-12-31T23:59:60Z": "a leap second, which is read as the second before, so that its day stays",
    }
)
"""Texts that an instant is read from, and what is to be seen in each."""

RECORD_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "forgotten": "The record was that of a customer who was erased.",
        "tombstone": "It has no value.",
        "oversized": "It is longer than BRIDGECART_MAX_PAYLOAD_BYTES.",
        "not_utf8": "Its bytes are no UTF-8.",
        "not_json": "Its text is no JSON.",
        "not_object": "Its JSON is no object.",
    }
)
"""Reason codes of a record whose fields cannot be read, in the order in which they are asked for."""

DECODING_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "bad_framing": "Its bytes do not begin with the id of a schema, as those of a topic with a registry do.",
        "unknown_schema": "The registry does not know its schema.",
        "bad_schema": "Its schema is none by which the mapping could read it.",
        "bad_avro": "Its bytes are no record of its Avro schema.",
        "bad_protobuf": "Its bytes are no message of its Protobuf type.",
        "bad_where": "The mapping's condition failed, so nobody knows whether it is an order.",
    }
)
"""Further reason codes of a whole record that only a mapping reads."""

STATE_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "missing_order_id": "Of an order that has versions only the order id tells them together.",
        "bad_version": "The version of the order could not be read.",
        "bad_is_void": "Whether the order was cancelled could not be read.",
        "bad_refunded_amount": "The amount that was paid back could not be read.",
        "bad_refunded_date": "The instant of the refund could not be read.",
        "bad_refunds": "The refunds could not be read, or one of them has no instant or no amount.",
        "out_of_range_refunds": "A refund is negative, or beyond the range of purchase_date or purchase_amount.",
        "future_refunds": "A refund is dated after its record was sent and its batch was planned.",
    }
)
"""Reason codes of the fields that only a mapping has; each costs the order."""

EVENT: tuple[EventField, ...] = (
    EventField(
        name="customer_id",
        type=Text(),
        meaning="Customer who ordered",
        example="C0000042",
        required=True,
    ),
    EventField(
        name="purchase_date",
        type=Instant(earliest="1990-01-01", before="2100-01-01"),
        meaning="Instant of the purchase, UTC",
        example="2025-03-04T10:00:00Z",
        stored_as="purchased_at",
        required=True,
        early_refusals=(
            # Seconds where Kafka expects milliseconds: not the order is dated wrongly, but its record.
            Refusal("bad_kafka_timestamp", "kafka_timestamp < timestamp '1990-01-01'"),
            Refusal(
                "future_purchase_date",
                "utc_of(purchase_date) > latest_purchase(kafka_timestamp, $batch_key)",
            ),
        ),
        plain_if="coalesce(utc_of(purchase_date) <= latest_purchase(kafka_timestamp, $batch_key), true)",
    ),
    EventField(
        name="purchase_amount",
        type=Money(lowest=-1_000_000_000, highest=1_000_000_000),
        meaning="Amount, currency units: before the discount unless BRIDGECART_AMOUNT_IS_NET; negative is a refund",
        example=1499.5,
        is_stored=False,
        required=True,
    ),
    EventField(
        name="discount_amount",
        type=Money(lowest=-1_000_000_000, highest=1_000_000_000),
        meaning="Discount, currency units",
        example=150,
        default="0.00",
        refusals=(
            Refusal(
                "out_of_range_discount_amount",
                "(discount_amount < 0 and purchase_amount >= 0) or (discount_amount > 0 and purchase_amount < 0)",
            ),
            Refusal(
                "out_of_range_discount_amount", "not $amount_is_net and abs(discount_amount) > abs(purchase_amount)"
            ),
        ),
        plain_if="(discount_amount = 0 or discount_amount between 0 and purchase_amount)",
    ),
    EventField(
        name="coupon_used",
        type=Flag(),
        meaning="Whether a coupon was used; NULL when the event does not say",
        example=True,
    ),
    EventField(
        name="age",
        type=Whole(lowest=0, highest=130),
        meaning="Age, years",
        example=41,
        home=Home.CUSTOMERS,
        personal=True,
    ),
    EventField(
        name="income",
        type=Money(lowest=0, highest=1_000_000_000_000),
        meaning="Income, currency units a year",
        example=900000,
        home=Home.CUSTOMERS,
        personal=True,
    ),
    EventField(
        name="order_id",
        type=Text(),
        meaning="Order id of the source",
        example="O000000017",
    ),
    EventField(
        name="name",
        type=Text(longest=1_000),
        meaning="Name (personal data)",
        example="Asha Rao",
        home=Home.CUSTOMERS,
        personal=True,
    ),
    EventField(
        name="mobile",
        type=Text(longest=1_000),
        meaning="Mobile number (personal data)",
        example="+919845000000",
        home=Home.CUSTOMERS,
        personal=True,
    ),
    EventField(
        name="gender",
        type=Text(),
        meaning="Gender, canonical spelling",
        example="Female",
        home=Home.CUSTOMERS,
        personal=True,
        spellings={
            "f": "female",
            "female": "female",
            "woman": "female",
            "m": "male",
            "male": "male",
            "man": "male",
            "nonbinary": "non-binary",
            "nb": "non-binary",
            "other": "other",
        },
    ),
    EventField(
        name="payment_method",
        type=Text(),
        meaning="Payment method, canonical spelling",
        example="upi",
        spellings={
            "upi": "UPI",
            "cod": "COD",
            "cash": "COD",
            "cashondelivery": "COD",
            "paypal": "PayPal",
            "creditcard": "Credit card",
            "credit": "Credit card",
            "debitcard": "Debit card",
            "debit": "Debit card",
            "netbanking": "Net banking",
            "banktransfer": "Bank transfer",
            "wallet": "Wallet",
            "giftcard": "Gift card",
        },
    ),
    EventField(
        name="product_category",
        type=Text(),
        meaning="Product category, canonical spelling",
        example="Books",
        spellings={
            "electronics": "Electronics",
            "fashion": "Fashion",
            "clothing": "Fashion",
            "apparel": "Fashion",
            "grocery": "Grocery",
            "groceries": "Grocery",
            "home": "Home",
            "homekitchen": "Home",
            "homeandkitchen": "Home",
            "beauty": "Beauty",
            "books": "Books",
            "sports": "Sports",
            "toys": "Toys",
        },
    ),
    EventField(
        name="currency",
        type=Text(),
        meaning="Currency of the amounts, ISO 4217: that of BRIDGECART_CURRENCY",
        example="EUR",
        is_stored=False,
        rejections=(Refusal("other_currency", "upper(currency) <> $currency"),),
        plain_if="coalesce(upper(currency) = $currency, true)",
    ),
)
"""All fields, in the order of their reason codes."""


@dataclass(frozen=True)
class MappedField:
    """One field that only a mapping has: it says what holds of an order, or what was paid back of it."""

    name: str
    type: MappedType
    meaning: str


_REFUNDED_DATE = Instant(earliest="1990-01-01", before="2100-01-01")

MAPPED_ONLY: tuple[MappedField, ...] = (
    MappedField("version", Version(), "Number of the order's state: of one order the highest holds"),
    MappedField("is_void", Flag(), "True where the order was cancelled or deleted"),
    MappedField("refunds", Refunds(), "Refunds inside the order, a list of {at, amount}"),
    MappedField("refunded_amount", Money(lowest=0, highest=1_000_000_000), "What was paid back of the order in all"),
    MappedField("refunded_date", _REFUNDED_DATE, "Instant of that refund, UTC"),
)
"""Fields that a mapping may have beside those of the event."""

_TYPES: Mapping[str, MappedType] = {
    **{one.name: one.type for one in EVENT},
    **{one.name: one.type for one in MAPPED_ONLY},
}
_BY_SUBJECT = (
    *("order_id", "version", "is_void", "customer_id", "purchase_date", "purchase_amount", "discount_amount"),
    *("refunds", "currency", "coupon_used", "payment_method", "product_category"),
)

MAPPED_TYPES: Mapping[str, MappedType] = MappingProxyType({name: _TYPES[name] for name in (*_BY_SUBJECT, *_TYPES)})
"""All fields that a mapping can have, with their types: first those that an order has."""

MAPPED_COLUMNS: Mapping[str, MappedType] = MappingProxyType(
    {name: kind for name, kind in MAPPED_TYPES.items() if name not in ("refunded_amount", "refunded_date")}
)
"""Those that a mapping gives: two of them are one of the refunds."""

TELLING_FIELDS: tuple[str, ...] = (
    *("cancelled", "canceled", "is_cancelled", "is_canceled", "refunded", "is_refund", "returned", "voided"),
    *("status", "order_status", "payment_status", "state", "type", "event_type", "kind"),
    *("test", "is_test", "deleted", "is_deleted", "quantity", "qty"),
)
"""Names of fields that are not in the contract and look like part of what an event means: a check names them."""

SPELLED_IN_ORDERS: tuple[str, ...] = tuple(one.name for one in EVENT if one.spellings and one.home is Home.ORDERS)
"""Fields of `silver.orders` with canonical spellings."""


def event_columns(home: Home, but: Collection[Column] = ()) -> tuple[Column, ...]:
    """The columns of a table that fields of the event are stored in, but those that the table places itself."""
    columns = (one.stored for one in EVENT if one.home is home)
    return tuple(column for column in columns if column is not None and column not in but)


def event_column(name: str) -> Column:
    """The column that a field is stored in. Raises ValueError for one that has none."""
    (column,) = (one.stored for one in EVENT if one.name == name and one.stored is not None)
    return column
