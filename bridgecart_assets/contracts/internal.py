"""Internal tables: kept beside the assets, because they tell how the warehouse works and not what the orders say."""

from dataclasses import replace

from bridgecart_assets.base.quoting import sql_name
from bridgecart_assets.contracts.columns import BATCH, CUSTOMER_HASH, SEGMENT_KEY
from bridgecart_assets.contracts.contract import INSTANT, MONEY, Column, Contract, taken_from
from bridgecart_assets.contracts.gold import CUSTOMER_SEGMENTS, CUSTOMER_SNAPSHOTS, SEGMENT_MEMBERSHIP, SPEND_SUMS
from bridgecart_assets.contracts.raw import RAW_ORDERS
from bridgecart_assets.contracts.silver import (
    BESIDE_ORDERS,
    SILVER_CUSTOMERS,
    SILVER_ORDERS,
    SILVER_REJECTS,
)

FORGOTTEN_CUSTOMERS = Contract(
    schema="raw",
    name="forgotten_customers",
    meaning="Customers who were erased, so that they stay so when their records are read again. No id is kept.",
    columns=(
        Column("customer_hash", "VARCHAR", "SHA-256 of salt and customer id"),
        Column("salt", "VARCHAR", "Random text, one per warehouse"),
        Column("forgotten_before", INSTANT, "Orders of the customer before this instant are erased, UTC"),
    ),
    key=("customer_hash",),
)

ERASED_VALUE = Contract(
    schema="gold",
    name="erased_value",
    meaning="What the customers erased in a period were worth when it opened: sums by segment, for the CLV bridge.",
    columns=(
        Column("period_unit", "VARCHAR", "Length of the KPI periods at the time of erasure: day, week or month"),
        Column("period", "DATE", "Opening date A0 of the KPI tables' last period at the time of erasure"),
        Column("segment_key", "VARCHAR", "Segment at the opening"),
        Column("customers", "INTEGER", "Customers erased"),
        Column("net_sales", MONEY, "Their historic customer lifetime value at the opening, currency units"),
    ),
    key=("period_unit", "period", "segment_key"),
)

# All columns that tables of customers are made of.
_FOLLOWED = (
    *("customer_id", "customer_hash", "purchased_at", "order_kind", "gross_amount", "discount_amount", "net_amount"),
    *("coupon_used", "product_category", "topic_id", "partition", "offset", "kafka_timestamp", "batch_key"),
    "purchased_on",
    "stated_attributes",
    "part",
)
ORDER_CHANGES = Contract(
    schema="silver",
    name="order_changes",
    meaning="Orders that came and went, revision by revision, until every table of customers has followed: how they "
    "stand in silver.orders after it, or stood before.",
    columns=(
        Column("revision", "BIGINT", "Number of the transaction that changed silver.orders, ascending"),
        Column("sign", "TINYINT", "1: the order came, -1: it went"),
        *(column for column in SILVER_ORDERS.columns if column.name in _FOLLOWED),
    ),
    key=("revision", "sign", "topic_id", "partition", "offset", "part"),
)

BATCH_SUMS = Contract(
    schema="silver",
    name="batch_sums",
    meaning="What the orders of each batch add up to, day by day: all tables of sums are held to it.",
    columns=(
        BATCH,
        Column("purchased_on", "DATE", "Day of the orders in the shop's calendar"),
        Column("purchases", "BIGINT", "Purchases"),
        Column("zero_value_orders", "BIGINT", "Orders with a net amount of zero"),
        Column("refunds", "BIGINT", "Refunds, also those inside orders"),
        Column("purchase_sales", MONEY, "Net amount of the purchases, currency units"),
        Column("net_sales", MONEY, "Net amount of all orders, currency units"),
        Column("fingerprint", "HUGEINT", "Sum of (net amount in cents + 1) times the low 32 bits of customer_hash"),
    ),
    key=("batch_key", "purchased_on"),
)

CUSTOMER_TOTALS = Contract(
    schema="gold",
    name="customer_totals",
    meaning="What each customer's orders before the as-of date add up to. Nothing in it moves with the clock alone.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        Column("last_ordered_on", "DATE", "Day of the latest order, also if it is a refund"),
        Column("first_purchased_on", "DATE", "First purchase day", nullable=True),
        Column("last_purchased_on", "DATE", "Latest purchase day", nullable=True),
        Column("returned_on", "DATE", "First purchase day of the KPI period of the latest", nullable=True),
        Column("frequency", "INTEGER", "Purchase days"),
        Column("orders", "INTEGER", "Purchases"),
        Column("zero_value_orders", "INTEGER", "Orders with a net amount of zero"),
        Column("refunds", "INTEGER", "Refunds"),
        Column("coupon_orders", "INTEGER", "Purchases with a coupon"),
        Column("purchase_sales", MONEY, "Net amount of the purchases, currency units"),
        Column("purchase_gross", MONEY, "Gross amount of the purchases, currency units"),
        Column("purchase_discount", MONEY, "Discounts of the purchases, currency units"),
        Column("net_sales", MONEY, "Net amount of all orders, currency units"),
        *SPEND_SUMS,
        Column("largest_spend", MONEY, "Largest spend on a purchase day, currency units", nullable=True),
        Column("last_spend", MONEY, "Spend on the latest purchase day, currency units", nullable=True),
        Column(
            "categories",
            "STRUCT(category VARCHAR, purchases INTEGER)[]",
            "Purchases by product category, in the order of the names; none without a category",
        ),
    ),
    key=("customer_id",),
)

# Said with the id, or derived where it is read.
_DERIVED = ("customer_id", "segment", "ambiguous")


def _uncompressed_figure(column: Column) -> Column:
    """The column, uncompressed if every customer has another value."""
    is_own = column == CUSTOMER_HASH or column.type in {"DOUBLE", MONEY}
    return replace(column, compression="uncompressed") if is_own else column


# To compress them would take as long as to compute them, and make the file a fifth smaller. Texts stay texts: numbers
# are written sooner, but to make texts of them takes five times as long as to read texts. Nothing is left to be read
# beside the totals: that takes longer every time than to write it.
CUSTOMER_SCORES = Contract(
    schema="gold",
    name="customer_scores",
    meaning="What the models in force say about each customer as of the data clock, for gold.customer_segments.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer", compression="uncompressed"),
        *map(
            _uncompressed_figure,
            (
                *taken_from(CUSTOMER_SEGMENTS, *(n for n in CUSTOMER_SEGMENTS.column_names if n not in _DERIVED)),
                *taken_from(CUSTOMER_SNAPSHOTS, "in_hindsight", "expected_window_sales"),
            ),
        ),
    ),
    key=("customer_id",),
)

CUSTOMER_OPENINGS = Contract(
    schema="gold",
    name="customer_openings",
    meaning="Traits, value, segment and predictions of every customer as of each period opening.",
    columns=CUSTOMER_SNAPSHOTS.columns,
    key=CUSTOMER_SNAPSHOTS.key,
)

SEGMENT_INTERVALS = Contract(
    schema="gold",
    name="segment_intervals",
    meaning="History of every customer's segment as the period openings see it: what has changed since is not in it.",
    columns=tuple(column for column in SEGMENT_MEMBERSHIP.columns if column.name != "is_current"),
    key=SEGMENT_MEMBERSHIP.key,
)

# The tables behind the views: no assets, because each is written by that of a view.
BEHIND_VIEWS: tuple[Contract, ...] = (CUSTOMER_TOTALS, CUSTOMER_SCORES, CUSTOMER_OPENINGS, SEGMENT_INTERVALS)

REPLACED_TOTALS = Contract(
    schema="gold",
    name="replaced_totals",
    meaning="Customers' totals as they stood before a refresh replaced them: the earliest after a revision are those "
    "that a table which followed up to it knows. Kept until every table has followed.",
    columns=(
        Column("revision", "BIGINT", "Revision up to which the refresh followed"),
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        Column(
            "totals",
            f"STRUCT({', '.join(f'{sql_name(c.name)} {c.type}' for c in CUSTOMER_TOTALS.columns)})",
            "Row of gold.customer_totals; NULL: the customer had none",
            nullable=True,
        ),
    ),
    key=("revision", "customer_id"),
)

REFRESHES = Contract(
    schema="gold",
    name="refreshes",
    meaning="How far each table of customers has followed the orders.",
    columns=(
        Column("table_name", "VARCHAR", "Table"),
        Column("revision", "BIGINT", "The table knows the changes up to this revision of silver.order_changes"),
        Column(
            "checked", "BIGINT", "Up to here its checks have passed; NULL: not since all rows were made", nullable=True
        ),
        Column("full_rebuilds", "BIGINT", "How often all of its rows were made"),
        Column(
            "state",
            "VARCHAR",
            "What else its rows depend on: clock, models, settings and its inputs; NULL: all rows have to be made",
            nullable=True,
        ),
        Column("as_of", "DATE", "As-of date of its rows; NULL where they have none", nullable=True),
    ),
    key=("table_name",),
)

# How the tables of customers are kept up to date: no assets, because they say nothing that the assets do not say.
BOOKKEEPING: tuple[Contract, ...] = (ORDER_CHANGES, REPLACED_TOTALS, REFRESHES)

# Written by `bridgecart forget` alone: no assets, because no run could make them again from the topic.
ERASURE_TABLES: tuple[Contract, ...] = (FORGOTTEN_CUSTOMERS, ERASED_VALUE)

LAKE_HEADS = Contract(
    schema="lake",
    name="heads",
    meaning="Tables whose rows stand in the lake: of each the snapshot that counts. It moves in the transaction of the "
    "warehouse, so a snapshot that is named nowhere never was.",
    columns=(
        Column("table_name", "VARCHAR", "schema.table"),
        Column("snapshot_id", "BIGINT", "Iceberg's number of the snapshot"),
        Column("files", "VARCHAR[]", "The Parquet files with its rows"),
    ),
    key=("table_name",),
)

LAKE_OWNER = Contract(
    schema="lake",
    name="owner",
    meaning="Whose the tables of the lake are: each says so too, that no other warehouse takes them for its own.",
    columns=(Column("warehouse", "UUID", "By chance, of this warehouse alone; a backup has none"),),
    key=("warehouse",),
)

IN_LAKE: tuple[Contract, ...] = (
    *(RAW_ORDERS, SILVER_ORDERS, *BESIDE_ORDERS, SILVER_REJECTS, SILVER_CUSTOMERS),
    *BEHIND_VIEWS,
)
"""The tables that grow with orders and customers; with Spark their rows stand in the lake."""

WITHDRAWN_ORDERS = Contract(
    schema="raw",
    name="withdrawn_orders",
    meaning="Orders that a person took back: their records are rejected as `withdrawn` whenever they are read.",
    columns=(
        Column("order_id", "VARCHAR", "Order id of the source"),
        Column("customer_id", "VARCHAR", "Customer whose order it is: ids of orders may be used twice"),
        Column("reason", "VARCHAR", "Why, in the words of who did it"),
        Column("withdrawn_at", INSTANT, "When, UTC"),
    ),
    key=("customer_id", "order_id"),
)

ANNOUNCED_SEGMENTS = Contract(
    schema="gold",
    name="announced_segments",
    meaning="The segment and lifecycle of every customer that the topic of segment changes tells.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer"),
        SEGMENT_KEY,
        Column("lifecycle", "VARCHAR", "Lifecycle; NULL without purchase, or before one was told", nullable=True),
    ),
    key=("customer_id",),
)

SEGMENT_CHANGES = Contract(
    schema="gold",
    name="segment_changes",
    meaning="Outbox of the topic of segment changes: those that were not sent yet, and the last one that was.",
    columns=(
        Column("change", "BIGINT", "Number of the change, ascending, never used twice"),
        Column("customer_id", "VARCHAR", "Customer"),
        Column("from_key", "VARCHAR", "Segment that was left; NULL for a customer who was not there", nullable=True),
        Column("to_key", "VARCHAR", "Segment that was entered; NULL for a customer who is gone", nullable=True),
        Column("model_version", "INTEGER", "Version of the segment model; NULL when unassigned", nullable=True),
        Column("as_of", "DATE", "Date of the assignment, exclusive; NULL when nobody is left", nullable=True),
        Column("sent", "BOOLEAN", "Whether it is known here that it was sent; the topic's marker knows it first"),
        Column("from_lifecycle", "VARCHAR", "Lifecycle that was told before; NULL where none was", nullable=True),
        Column("to_lifecycle", "VARCHAR", "Lifecycle now; NULL without purchase, or when gone", nullable=True),
    ),
    key=("change",),
)

# What `bridgecart announce` remembers: no assets, because they depend on what was sent, not on the orders alone.
OUTBOX_TABLES: tuple[Contract, ...] = (ANNOUNCED_SEGMENTS, SEGMENT_CHANGES)
