"""Silver tables: typed, cleaned orders, those that are none, and the customers behind them."""

from bridgecart_assets.contracts.columns import BATCH, CUSTOMER_HASH, KAFKA_TIME, PAYLOAD, coordinates
from bridgecart_assets.contracts.contract import INSTANT, MONEY, Column, Contract

_ORDER = (
    Column("order_key", "UUID", "Identity of the order: hash of its identifying fields"),
    Column("order_id", "VARCHAR", "Order id of the source", nullable=True),
    Column("customer_id", "VARCHAR", "Customer who ordered"),
    CUSTOMER_HASH,
    Column("purchased_at", INSTANT, "Instant of the purchase, UTC"),
    Column("order_kind", "VARCHAR", "purchase (net > 0), zero (net = 0) or refund (negative amount)"),
    Column("gross_amount", MONEY, "Amount before the discount, currency units"),
    Column("discount_amount", MONEY, "Discount, currency units"),
    Column("net_amount", MONEY, "Amount after the discount, currency units: what counts as sales"),
    Column("coupon_used", "BOOLEAN", "Whether a coupon was used; NULL when the event does not say", nullable=True),
    Column("payment_method", "VARCHAR", "Payment method, canonical spelling", nullable=True),
    Column("product_category", "VARCHAR", "Product category, canonical spelling", nullable=True),
    *coordinates(),
    KAFKA_TIME,
)

SILVER_ORDERS = Contract(
    schema="silver",
    name="orders",
    meaning="One typed, cleaned row per order. The first event of an order by Kafka timestamp wins.",
    columns=(*_ORDER, BATCH),
    key=("order_key",),
)

SILVER_DUPLICATES = Contract(
    schema="silver",
    name="duplicate_orders",
    meaning="Events whose order already stands, with the coordinates of the event that won.",
    columns=(*_ORDER, *coordinates("the winning record", "winner_"), BATCH),
    key=("topic_id", "partition", "offset"),
)

SILVER_REJECTS = Contract(
    schema="silver",
    name="rejected_orders",
    meaning="Records that are no valid order, with the reasons. Nothing is imputed, nothing dropped in silence.",
    columns=(
        *coordinates(),
        KAFKA_TIME,
        Column("reasons", "VARCHAR[]", "Reason codes, in the order of the contract"),
        PAYLOAD,
        BATCH,
    ),
    key=("topic_id", "partition", "offset"),
)

SILVER_CUSTOMERS = Contract(
    schema="silver",
    name="customers",
    meaning="Attributes of each customer from the latest order. The only place below raw with name and mobile.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        Column("name", "VARCHAR", "Name (personal data)", nullable=True),
        Column("mobile", "VARCHAR", "Mobile number (personal data)", nullable=True),
        Column("age", "INTEGER", "Age, years", nullable=True),
        Column("income", MONEY, "Income, currency units a year", nullable=True),
        Column("gender", "VARCHAR", "Gender, canonical spelling", nullable=True),
        Column("first_seen_at", INSTANT, "First order or refund, UTC"),
        Column("last_seen_at", INSTANT, "Latest order or refund, UTC"),
    ),
    key=("customer_id",),
)
