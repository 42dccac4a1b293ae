"""Silver tables: typed, cleaned orders, those that are none, and the customers behind them."""

from dataclasses import replace

from bridgecart_assets.contracts.columns import BATCH, CUSTOMER_HASH, KAFKA_TIME, PAYLOAD, coordinates
from bridgecart_assets.contracts.contract import INSTANT, MONEY, Column, Contract
from bridgecart_assets.contracts.event import Home, event_column, event_columns

_ORDER = (
    Column("order_key", "UUID", "Identity of the order: hash of its identifying fields"),
    event_column("order_id"),
    event_column("customer_id"),
    CUSTOMER_HASH,
    event_column("purchase_date"),
    Column("order_kind", "VARCHAR", "purchase (net > 0), zero (net = 0) or refund (negative amount)"),
    Column("gross_amount", MONEY, "Amount before the discount, currency units"),
    event_column("discount_amount"),
    Column("net_amount", MONEY, "Amount after the discount, currency units: what counts as sales"),
    event_column("coupon_used"),
    event_column("payment_method"),
    event_column("product_category"),
    *coordinates(),
    KAFKA_TIME,
)

# Columns that came later stand at the end, where a migration puts them.
_SINCE_VERSION_5 = (
    Column("purchased_on", "DATE", "Day of the purchase in the shop's calendar"),
    Column(
        "ignored_fields",
        "VARCHAR[]",
        "Reason codes of optional fields that were wrong and count as missing; NULL is none",
        nullable=True,
    ),
    Column(
        "stated_attributes",
        "VARCHAR[]",
        "Fields of silver.customers that the event says, by name; NULL: all, or taken in before this was noted",
        nullable=True,
    ),
)

_LINES = Column("lines", "INTEGER", "Events that it sums; more than 1 only with BRIDGECART_ORDER_EVENTS=lines")

# What a mapping says of the state of an order.
_STATE = (
    Column(
        "version", "DECIMAL(38,0)", "Version of the order: the highest holds; NULL when none is said", nullable=True
    ),
    Column(
        "is_void",
        "BOOLEAN",
        "Whether the order was cancelled or deleted: it never was, in every period; NULL: its source has no versions",
        nullable=True,
    ),
    Column(
        "refunds",
        'STRUCT("at" TIMESTAMP, amount DECIMAL(18,2))[]',
        "Refunds inside the order, each with its instant, UTC, and its amount, currency units; NULL is none",
        nullable=True,
    ),
    Column("part", "INTEGER", "0 is the order itself; n is its n-th refund, a row of its own in silver.orders"),
)

# Fields that the event got later stand at the end, where a migration puts them.
_LATER = event_columns(Home.ORDERS, but=_ORDER)

SILVER_ORDERS = Contract(
    schema="silver",
    name="orders",
    meaning="One typed, cleaned row per order, and one per refund inside it. Of events that differ "
    "BRIDGECART_ORDER_EVENTS says what counts: the first by Kafka timestamp (orders), the last (states), or their sum, "
    "at the place of the first (lines); of events with versions the highest holds.",
    columns=(*_ORDER, BATCH, *_SINCE_VERSION_5, _LINES, *_STATE, *_LATER),
    key=("order_key",),
)


# All that a void event need not say.
_UNSAID = (
    *("customer_id", "customer_hash", "purchased_at", "purchased_on", "order_kind"),
    *("gross_amount", "discount_amount", "net_amount"),
)


def _events(name: str, meaning: str, winner: str, *own: Column, may_be_void: bool = False) -> Contract:
    """The contract of a table of events beside the orders, each with the coordinates of another record."""
    columns = (*_ORDER, *coordinates(winner, "winner_"), BATCH, *_SINCE_VERSION_5, *own, *_STATE, *_LATER)
    return Contract(
        schema="silver",
        name=name,
        meaning=meaning,
        columns=tuple(
            replace(column, nullable=True) if may_be_void and column.name in _UNSAID else column for column in columns
        ),
        key=("topic_id", "partition", "offset"),
    )


SILVER_DUPLICATES = _events(
    "duplicate_orders",
    "Events that say the same, or the same version, as another event of their order, with the coordinates of the event "
    "that won.",
    "the winning record",
    may_be_void=True,
)

SILVER_CONFLICTS = _events(
    "conflicting_orders",
    "Events that say something else than the event of their order that counts, and are in no sum.",
    "the record that counts",
)

SILVER_SUPERSEDED = _events(
    "superseded_orders",
    "Earlier states of an order, with the coordinates of the state that holds (versions, or "
    "BRIDGECART_ORDER_EVENTS=states), and the state that holds where it says that the order is void.",
    "the record that holds",
    Column(
        "standing", "VARCHAR", "superseded: a later state of the order holds; void: it holds, and there is no order"
    ),
    may_be_void=True,
)

SILVER_LINES = _events(
    "order_lines",
    "Lines of the orders that have several; silver.orders has their sum (BRIDGECART_ORDER_EVENTS=lines).",
    "the order's first line",
)

BESIDE_ORDERS = (SILVER_DUPLICATES, SILVER_CONFLICTS, SILVER_SUPERSEDED, SILVER_LINES)
"""Where the events stand that are no row of `silver.orders`."""

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

SILVER_SKIPPED = Contract(
    schema="silver",
    name="skipped_records",
    meaning="How many records of each batch the mapping leaves out, and why: they are no orders, and no mistakes.",
    columns=(
        BATCH,
        Column("partition", "INTEGER", "Kafka partition of the records"),
        Column("reason", "VARCHAR", "where: the mapping's condition does not hold; tombstone: there is no value"),
        Column("records", "BIGINT", "Records left out"),
    ),
    key=("batch_key", "partition", "reason"),
)

SILVER_MAPPINGS = Contract(
    schema="silver",
    name="mappings",
    meaning="Every mapping that a batch was read by, word for word.",
    columns=(
        Column("mapping", "VARCHAR", "SHA-256 of its text"),
        Column("text", "VARCHAR", "Its text, as in its file"),
    ),
    key=("mapping",),
)

SILVER_READINGS = Contract(
    schema="silver",
    name="readings",
    meaning="How each batch was read from raw: its rows fit those of batches that were read alike.",
    columns=(
        BATCH,
        Column("rules_version", "INTEGER", "Version of the rules by which records are read"),
        Column("settings", "MAP(VARCHAR, VARCHAR)", "Values of the settings that silver depends on, by name"),
        Column(
            "mapping",
            "VARCHAR",
            "SHA-256 of the mapping by which it was read (silver.mappings); NULL: BridgeCart's own event",
            nullable=True,
        ),
    ),
    key=("batch_key",),
)

WRITTEN_WITH_ORDERS = (*BESIDE_ORDERS, SILVER_REJECTS, SILVER_SKIPPED, SILVER_READINGS)
"""What of a batch is written in the transaction of its rows of `silver.orders`."""

_CUSTOMER = (
    Column("customer_id", "VARCHAR", "Customer"),
    CUSTOMER_HASH,
    event_column("name"),
    event_column("mobile"),
    event_column("age"),
    event_column("income"),
    event_column("gender"),
    Column("first_seen_at", INSTANT, "First order or refund, UTC"),
    Column("last_seen_at", INSTANT, "Latest order or refund, UTC"),
)

SILVER_CUSTOMERS = Contract(
    schema="silver",
    name="customers",
    meaning="Attributes of each customer, each from the latest event that says it. "
    "The only place below raw with name and mobile.",
    columns=(*_CUSTOMER, *event_columns(Home.CUSTOMERS, but=_CUSTOMER)),
    key=("customer_id",),
)
