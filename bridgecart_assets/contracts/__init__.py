"""The tables: columns, types, units, keys and meaning, declared once.

From here come the DDL, the check before every write, the asset checks and the column schema in the UI.
What belongs elsewhere: how a table is computed (`sql/`) and how it is written (`warehouse/`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

BATCH_COLUMN = "batch_key"
UNASSIGNED = "unassigned"

MONEY = "DECIMAL(18,2)"
INSTANT = "TIMESTAMP"


@dataclass(frozen=True)
class Column:
    """One column: name, DuckDB type, meaning (with its unit), whether NULL is allowed.

    `audit` marks columns that tell how a row came here (batch, run, load time): they differ between two ways of
    loading the same orders and are left out when results are compared.
    """

    name: str
    type: str
    meaning: str
    nullable: bool = False
    audit: bool = False
    compression: str | None = None


@dataclass(frozen=True)
class Contract:
    """One table: `schema.name`, its meaning, columns, key, and whether it is written batch by batch."""

    schema: str
    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    published: bool = False

    @property
    def full_name(self) -> str:
        """`schema.name`, as it stands in SQL."""
        return f"{self.schema}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(column.name for column in self.columns)

    @property
    def result_columns(self) -> tuple[str, ...]:
        """Column names without the audit columns."""
        return tuple(column.name for column in self.columns if not column.audit)

    @property
    def partitioned(self) -> bool:
        """True for tables that are written one batch at a time."""
        return BATCH_COLUMN in self.column_names

    def ddl(self) -> str:
        """The CREATE TABLE statement (`if not exists`)."""
        columns = ",\n  ".join(_column_ddl(column) for column in self.columns)
        return f"create table if not exists {self.full_name} (\n  {columns}\n)"


def _column_ddl(column: Column) -> str:
    compression = f" using compression {column.compression}" if column.compression else ""
    return f'"{column.name}" {column.type}{compression}{"" if column.nullable else " not null"}'


def _coordinates(of: str = "the record", prefix: str = "") -> tuple[Column, ...]:
    return (
        Column(f"{prefix}topic_id", "VARCHAR", f"Id of the topic incarnation of {of}"),
        Column(f"{prefix}partition", "INTEGER", f"Kafka partition of {of}"),
        Column(f"{prefix}offset", "BIGINT", f"Kafka offset of {of}"),
    )


_BATCH = Column(BATCH_COLUMN, "VARCHAR", "Batch (Dagster partition) that brought the row", audit=True)
_KAFKA_TIME = Column(
    "kafka_timestamp", INSTANT, "Kafka timestamp of the record, UTC; NULL when the broker has none", nullable=True
)
_PAYLOAD = Column(
    "payload",
    "BLOB",
    'Value of the record, untouched; NULL is a tombstone, {"forgotten": true} was erased',
    nullable=True,
    compression="zstd",
)

ID_COLUMN = "customer_id"
CUSTOMER_HASH = Column("customer_hash", "BIGINT", "63 bits of the MD5 of customer_id: finds a customer's rows fast")

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
    *_coordinates(),
    _KAFKA_TIME,
)

# Fixed point, so that sums do not depend on the order of the rows.
_SPEND_SUMS = (
    Column("log_spend_sum", "DECIMAL(18,9)", "Sum over purchase days of ln(net total)"),
    Column("log_spend_square_sum", "DECIMAL(18,9)", "Sum over purchase days of the square of ln(net total)"),
)

_TRAITS = (
    Column("log_purchase_rate", "DOUBLE", "Trait: ln of purchase days a week, shrunk to that of all", nullable=True),
    Column("log_spend", "DOUBLE", "Trait: ln of spend on a purchase day, shrunk to that of all", nullable=True),
    Column("coupon_share", "DOUBLE", "Trait: share of purchases with coupon, shrunk to that of all", nullable=True),
)

# What the models have to say about a customer; NULL without purchase or below the data gate.
_PREDICTION = (
    Column("p_alive", "DOUBLE", "Probability of not having dropped out for good", nullable=True),
    Column("churn_risk", "DOUBLE", "Probability of no purchase within the churn window", nullable=True),
    Column("predicted_clv", MONEY, "Discounted expected sales within the horizon, currency units", nullable=True),
)

_SEGMENT_KEY = Column("segment_key", "VARCHAR", "Segment key (S01, ...), never reused; 'unassigned' without a segment")

_SEGMENT = (
    _SEGMENT_KEY,
    Column("segment", "VARCHAR", "Name of the segment in the current model version"),
)

_PERIOD = (
    Column("period", "DATE", "Opening date A0 of the period, UTC"),
    Column("closes_on", "DATE", "Closing date A1 (exclusive): end of the period, or of the data while it is open"),
    Column("is_complete", "BOOLEAN", "False while the data has not reached the end of the period"),
    *_SEGMENT,
)

_LOW_SAMPLE = Column("low_sample", "BOOLEAN", "True when fewer than 30 customers stand behind the figure")


def _spell(begins: str) -> tuple[Column, ...]:
    return (
        Column("valid_from", "DATE", f"Start of the spell, inclusive: {begins}"),
        Column(
            "valid_to", "DATE", "End of the spell, exclusive: start of the next; NULL while it lasts", nullable=True
        ),
        Column("is_current", "BOOLEAN", "True on the row that holds now: the one without an end"),
    )


def _kpi(name: str, meaning: str, columns: tuple[Column, ...]) -> Contract:
    return Contract(
        schema="kpi",
        name=name,
        meaning=meaning,
        columns=(*_PERIOD, *columns),
        key=("period", "segment_key"),
        published=True,
    )


def _taken_from(contract: Contract, *names: str) -> tuple[Column, ...]:
    return tuple(column for column in contract.columns if column.name in names)


def _reason(of: str) -> Column:
    return Column(f"{of}_reason", "VARCHAR", f"Why {of} is NULL", nullable=True)


RAW_ORDERS = Contract(
    schema="raw",
    name="orders",
    meaning="Each record of the topic as it arrived, payload untouched.",
    columns=(
        *_coordinates(),
        _KAFKA_TIME,
        Column("timestamp_type", "VARCHAR", "create or append; NULL when the broker has no timestamp", nullable=True),
        Column("key", "BLOB", "Key of the record", nullable=True),
        Column("headers", "STRUCT(name VARCHAR, value BLOB)[]", "Headers of the record, in order", nullable=True),
        _PAYLOAD,
        _BATCH,
    ),
    key=("topic_id", "partition", "offset"),
)

_OFFSETS = 'STRUCT("partition" INTEGER, "start" BIGINT, "end" BIGINT)[]'

RAW_BATCHES = Contract(
    schema="raw",
    name="batches",
    meaning="Ledger of the batches: the offsets of each, written in the same transaction as its records.",
    columns=(
        Column("batch_key", "VARCHAR", "Batch: UTC instant at which it was planned"),
        Column("topic", "VARCHAR", "Kafka topic"),
        Column("topic_id", "VARCHAR", "Id of the topic incarnation"),
        Column("cluster_id", "VARCHAR", "Id of the Kafka cluster", nullable=True),
        Column("ranges", _OFFSETS, "Half-open offset range [start, end) per Kafka partition, ordered by partition"),
        Column("lost", _OFFSETS, "Holes right before the ranges: removed by retention before any batch had read them"),
        Column("planned_records", "BIGINT", "Sum of the lengths of the ranges"),
        Column("records", "BIGINT", "Records read; fewer than planned where the broker itself has gaps"),
        Column(
            "last_records",
            'STRUCT("partition" INTEGER, "offset" BIGINT, digest VARCHAR)[]',
            "Last record of each Kafka partition, with a digest of its time, key and payload: whether it still stands "
            "is asked before the next batch is believed. NULL in batches from before that was kept",
            nullable=True,
        ),
    ),
    key=("batch_key",),
)

SILVER_ORDERS = Contract(
    schema="silver",
    name="orders",
    meaning="One typed, cleaned row per order. The first event of an order by Kafka timestamp wins.",
    columns=(*_ORDER, _BATCH),
    key=("order_key",),
)

SILVER_DUPLICATES = Contract(
    schema="silver",
    name="duplicate_orders",
    meaning="Events whose order already stands, with the coordinates of the event that won.",
    columns=(*_ORDER, *_coordinates("the winning record", "winner_"), _BATCH),
    key=("topic_id", "partition", "offset"),
)

SILVER_REJECTS = Contract(
    schema="silver",
    name="rejected_orders",
    meaning="Records that are no valid order, with the reasons. Nothing is imputed, nothing dropped in silence.",
    columns=(
        *_coordinates(),
        _KAFKA_TIME,
        Column("reasons", "VARCHAR[]", "Reason codes, in the order of the contract"),
        _PAYLOAD,
        _BATCH,
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

CUSTOMER_FEATURES = Contract(
    schema="gold",
    name="customer_features",
    meaning="What is known of each customer as of the end of the data clock's day: facts, no model.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        Column("as_of", "DATE", "Everything is computed from orders before this UTC date"),
        Column("first_purchased_on", "DATE", "First purchase day", nullable=True),
        Column("last_purchased_on", "DATE", "Latest purchase day", nullable=True),
        Column("recency_days", "INTEGER", "Days from the latest purchase day to the data clock", nullable=True),
        Column("tenure_days", "INTEGER", "Days from the first purchase day to the data clock", nullable=True),
        Column("frequency", "INTEGER", "Purchase days n: days with positive net total"),
        Column("repeat_purchases", "INTEGER", "Repeat purchase days x = n - 1; NULL without purchase", nullable=True),
        Column("orders", "INTEGER", "Purchases"),
        Column("zero_value_orders", "INTEGER", "Orders with a net amount of zero"),
        Column("refunds", "INTEGER", "Refunds"),
        Column("net_sales", MONEY, "Historic customer lifetime value: sum of net amounts, currency units"),
        Column("average_order_value", "DOUBLE", "Net value per purchase, currency units", nullable=True),
        Column("mean_interpurchase_days", "DOUBLE", "Mean days between purchase days; NULL below two", nullable=True),
        Column("discount_rate", "DOUBLE", "Discounts over gross amounts of purchases", nullable=True),
        Column("coupon_orders", "INTEGER", "Purchases with a coupon"),
        Column("category_count", "INTEGER", "Distinct product categories bought"),
        Column("top_category", "VARCHAR", "Category with the most purchases, then by name", nullable=True),
        *_SPEND_SUMS,
    ),
    key=("customer_id",),
    published=True,
)

PURCHASE_MODEL = Contract(
    schema="gold",
    name="purchase_model",
    meaning="Versions of the purchase model (MBG/NBD and log-normal spend): how often customers buy, how much they "
    "spend, when they stop. One row per version.",
    columns=(
        Column("version", "INTEGER", "Model version, from 1"),
        Column("as_of", "DATE", "Data date of the fit"),
        Column("in_force_from", "DATE", "First as-of date it decides about"),
        Column("input_hash", "VARCHAR", "Hash of the customers of the fit"),
        Column("fitted_customers", "INTEGER", "Customers in the fit"),
        Column("repeat_customers", "INTEGER", "Of these, customers with more than one purchase day"),
        Column("history_days", "INTEGER", "Longest tenure among them, days"),
        Column("r", "DOUBLE", "Shape of the gamma distribution of purchase rates"),
        Column("alpha", "DOUBLE", "Rate of the gamma distribution of purchase rates, weeks"),
        Column("a", "DOUBLE", "First parameter of the beta distribution of drop-out; NULL without fit", nullable=True),
        Column("b", "DOUBLE", "Second parameter of the beta distribution of drop-out", nullable=True),
        Column("log_likelihood", "DOUBLE", "Log-likelihood of the fit", nullable=True),
        Column("log_spend_mean", "DOUBLE", "Mean over customers of ln(net total of a purchase day)"),
        Column("log_spend_variance_within", "DOUBLE", "Its variance around a customer's own mean"),
        Column("log_spend_variance_between", "DOUBLE", "Variance of the customers' own means"),
        Column("coupon_share_mean", "DOUBLE", "Share of purchases with coupon over all customers"),
        Column("no_prediction_reason", "VARCHAR", "Why predictions are NULL under this version", nullable=True),
        Column("largest_mean_spend", "DOUBLE", "Largest mean of a customer's purchase days, currency units"),
    ),
    key=("version",),
    published=True,
)

SEGMENT_MODEL = Contract(
    schema="gold",
    name="segment_model",
    meaning="Versions of the K-Means segment model, one row per version and segment. No pickle anywhere.",
    columns=(
        Column("version", "INTEGER", "Model version, from 1"),
        Column("segment_key", "VARCHAR", "Segment key; its meaning never changes, it is never reused"),
        Column("segment", "VARCHAR", "Name of the segment in this version, from its centroid"),
        Column("status", "VARCHAR", "active, or proposed: waits for a person because segments changed their meaning"),
        Column("as_of", "DATE", "Data date of the fit"),
        Column("in_force_from", "DATE", "First as-of date it decides about; NULL while it is proposed", nullable=True),
        Column("purchase_version", "INTEGER", "Version of the purchase model that its traits come from"),
        Column("seed", "INTEGER", "Seed of the fit"),
        Column("traits_hash", "VARCHAR", "Hash of the customers and traits of the fit"),
        Column("fitted_customers", "INTEGER", "Customers in the fit"),
        Column("segment_customers", "INTEGER", "Of these, customers in this segment"),
        Column("inertia", "DOUBLE", "Sum of squared distances to the nearest centroid, standardised traits"),
        Column("silhouette", "DOUBLE", "Mean silhouette of at most 2,000 customers of the fit, standardised traits"),
        Column("stability", "DOUBLE", "Mean adjusted Rand index with the clusterings of bootstrap samples, at most 1"),
        Column("smallest_share", "DOUBLE", "Share of the customers of the fit in the smallest segment"),
        Column("matched_from", "VARCHAR", "Key of the matched segment of the previous version", nullable=True),
        Column("centroid_shift", "DOUBLE", "Distance to the matched centroid, reference deviations", nullable=True),
        Column("agreement", "DOUBLE", "Share of customers that keep their key under this version", nullable=True),
        *(
            Column(f"{part}_{trait.name}", "DOUBLE", f"{words} of {trait.name}")
            for trait in _TRAITS
            for part, words in (
                ("mean", "Mean"),
                ("scale", "Standard deviation"),
                ("centroid", "Standardised centroid"),
            )
        ),
        *(
            column
            for trait in _TRAITS
            for column in (
                Column(f"bounds_{trait.name}", "DOUBLE[]", f"Upper bounds of the drift bins of {trait.name}: deciles"),
                Column(f"bin_customers_{trait.name}", "INTEGER[]", "Customers of the fit in each of them, and above"),
            )
        ),
    ),
    key=("version", "segment_key"),
    published=True,
)

CUSTOMER_SEGMENTS = Contract(
    schema="gold",
    name="customer_segments",
    meaning="Current segment, lifecycle stage and predicted value of every customer under the models in force.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        Column("as_of", "DATE", "Date of the assignment, exclusive"),
        *_SEGMENT,
        Column("model_version", "INTEGER", "Version of the segment model; NULL when unassigned", nullable=True),
        Column("confidence", "DOUBLE", "(d2 - d1) / (d2 + d1) of the two nearest centroids, 0 to 1", nullable=True),
        Column("runner_up_key", "VARCHAR", "Key of the second nearest segment", nullable=True),
        Column("ambiguous", "BOOLEAN", "Confidence below 0.1; NULL when unassigned", nullable=True),
        Column(
            "lifecycle",
            "VARCHAR",
            "new, active, needs attention, at risk or dormant; NULL without purchase",
            nullable=True,
        ),
        *_TRAITS,
        *_PREDICTION,
        Column("expected_spend", "DOUBLE", "Expected spend on a purchase day, currency units", nullable=True),
        Column("expected_purchases", "DOUBLE", "Expected purchase days within the horizon", nullable=True),
        Column("no_prediction_reason", "VARCHAR", "Why there is no prediction; NULL when there is one", nullable=True),
        Column("net_sales", MONEY, "Historic customer lifetime value, currency units"),
    ),
    key=("customer_id",),
    published=True,
)

SEGMENT_DRIFT = Contract(
    schema="gold",
    name="segment_drift",
    meaning="How far customers are from those that the segment model in force was fitted to: the population stability "
    "index of each trait and of the segment mix, and whether it is an alert.",
    columns=(
        Column("measure", "VARCHAR", "log_purchase_rate, log_spend, coupon_share or segment_mix"),
        Column("as_of", "DATE", "Date of the customers, exclusive"),
        Column("model_version", "INTEGER", "Version of the segment model in force on that date"),
        Column("psi", "DOUBLE", "Population stability index over the bins of the fit; 0: no change"),
        Column("threshold", "DOUBLE", "0.1, or what one in a thousand equal samples of these sizes exceeds, if higher"),
        Column("alert", "BOOLEAN", "Whether psi is above the threshold, on a later data date than the fit's"),
        Column("customers", "INTEGER", "Customers looked at: at most 100,000, by hash of the id"),
        Column("reference_customers", "INTEGER", "Customers of the fit"),
    ),
    key=("measure",),
    published=True,
)

CUSTOMER_SNAPSHOTS = Contract(
    schema="gold",
    name="customer_snapshots",
    meaning="Traits, value, segment and predictions of every customer as of each period opening and as of now.",
    columns=(
        Column("as_of", "DATE", "Everything is computed from orders before this UTC date"),
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        Column("frequency", "INTEGER", "Purchase days before as_of"),
        Column("orders", "INTEGER", "Purchases before as_of"),
        Column("zero_value_orders", "INTEGER", "Orders with a net amount of zero before as_of"),
        Column("refunds", "INTEGER", "Refunds before as_of"),
        Column("purchase_sales", MONEY, "Net amount of the purchases before as_of, currency units"),
        Column("net_sales", MONEY, "Historic customer lifetime value: sum of net amounts, currency units"),
        Column("first_purchased_on", "DATE", "First purchase day before as_of", nullable=True),
        Column("last_purchased_on", "DATE", "Latest purchase day before as_of", nullable=True),
        Column("has_returned", "BOOLEAN", "Whether a purchase day lies in the churn window from as_of on"),
        *_TRAITS,
        Column("segment_key", "VARCHAR", "Segment as of then; 'unassigned' without a segment"),
        Column("model_version", "INTEGER", "Version of the segment model; NULL when unassigned", nullable=True),
        *_PREDICTION,
        Column("in_hindsight", "BOOLEAN", "Whether the prediction's model knows later orders", nullable=True),
    ),
    key=("as_of", "customer_id"),
)

# Wider than money: sums over all customers.
_SUM = "DECIMAL(38,2)"

SEGMENT_FLOWS = Contract(
    schema="gold",
    name="segment_flows",
    meaning="Customers, value and sales by period, segment at its opening and segment at its close: what the KPIs are "
    "made of. Every column is a sum over customers.",
    columns=(
        Column("period", "DATE", "Opening date A0 of the period, UTC"),
        Column("closes_on", "DATE", "Closing date A1 (exclusive): end of the period, or of the data while it is open"),
        Column("opening_key", "VARCHAR", "Segment key at the opening; 'new' for customers who did not exist then"),
        Column("closing_key", "VARCHAR", "Segment key at the close; 'gone' for customers who exist no more"),
        Column("customers", "BIGINT", "Customers"),
        Column("opening_clv", _SUM, "Historic value at the opening, currency units"),
        Column("closing_clv", _SUM, "Historic value at the close, currency units"),
        Column("opening_predicted_clv", _SUM, "Predicted value at the opening, currency units"),
        Column("opening_predicted", "BIGINT", "Customers with a predicted value at the opening"),
        Column("closing_predicted_clv", _SUM, "Predicted value at the close, currency units"),
        Column("closing_predicted", "BIGINT", "Customers with a predicted value at the close"),
        Column("ordered", "BIGINT", "Customers with an order or refund in the period"),
        Column("bought", "BIGINT", "Customers with a purchase in the period"),
        Column("orders", "BIGINT", "Purchases in the period"),
        Column("zero_value_orders", "BIGINT", "Orders with a net amount of zero in the period"),
        Column("refunds", "BIGINT", "Refunds in the period"),
        Column("purchase_sales", _SUM, "Net amount of the purchases in the period, currency units"),
        Column("net_sales", _SUM, "Net amount of the period, refunds taken off, currency units"),
        Column("active", "BIGINT", "Customers with a purchase in the churn window before the opening"),
        Column("silent", "BIGINT", "Of these, customers without one in the churn window from the opening on"),
        Column("old_enough", "BIGINT", "Customers with a first purchase at least that window before it"),
        Column("inactive", "BIGINT", "Of these, customers that are not active"),
        Column("churn_risk", "DECIMAL(38,9)", "Sum of the churn risks of the active at the opening"),
        Column("rated", "BIGINT", "Of the active, customers with a churn risk"),
        Column("scored", "BIGINT", "Customers with a prediction at the opening"),
        Column("in_hindsight", "BIGINT", "Of these, customers whose prediction's model knows later orders"),
    ),
    key=("period", "closes_on", "opening_key", "closing_key"),
    published=True,
)

SEGMENT_MEMBERSHIP = Contract(
    schema="gold",
    name="segment_membership",
    meaning="History of every customer's segment (SCD type 2): one row per customer and spell in one segment.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        _SEGMENT_KEY,
        Column(
            "model_version",
            "INTEGER",
            "Version of the segment model at the start of the spell; NULL when unassigned",
            nullable=True,
        ),
        *_spell("date of the first snapshot that shows it, a period opening or now"),
    ),
    key=("customer_id", "valid_from"),
    published=True,
)

CLV_GROWTH = _kpi(
    "clv_growth",
    "Customer lifetime value growth by segment, like for like, with the bridge from opening to closing value.",
    (
        Column("customers", "INTEGER", "Customers in the segment when the period opened, erased ones included"),
        Column("closing_customers", "INTEGER", "Customers in the segment when it closed"),
        Column(
            "clv_growth",
            "DOUBLE",
            "Value at close over value at opening, same customers, minus 1",
            nullable=True,
        ),
        _reason("clv_growth"),
        Column(
            "clv_growth_mix_included",
            "DOUBLE",
            "Mean value at close over that at opening, minus 1",
            nullable=True,
        ),
        Column("predicted_clv_growth", "DOUBLE", "As clv_growth, of the predicted value", nullable=True),
        Column("total_clv_growth", "DOUBLE", "As clv_growth, of historic plus predicted value", nullable=True),
        _reason("predicted_clv_growth"),
        Column("opening_predicted_clv", _SUM, "Predicted value of the opening members then", nullable=True),
        Column("closing_predicted_clv", _SUM, "Predicted value of the closing members then", nullable=True),
        Column("opening_clv", MONEY, "Bridge: value of the opening members at the opening"),
        Column("organic", MONEY, "Bridge: what the opening members added in the period"),
        Column("migrated_in", MONEY, "Bridge: closing value of customers that came from other segments"),
        Column("migrated_out", MONEY, "Bridge: closing value of customers that left for other segments"),
        Column("new_customers", MONEY, "Bridge: closing value of customers that did not exist at the opening"),
        Column("removed", MONEY, "Bridge: value of opening members that exist no more"),
        Column("closing_clv", MONEY, "Bridge: value of the closing members at the close"),
        _LOW_SAMPLE,
    ),
)

CHURN_RATE = _kpi(
    "churn_rate",
    "Churn rate by opening segment: active customers that did not buy within the window after the opening.",
    (
        Column("customers", "INTEGER", "Customers in the segment when the period opened"),
        Column("window_days", "INTEGER", "Window W, days"),
        Column("matures_on", "DATE", "A0 + W: the rate exists once the data has reached this date"),
        Column("matured", "BOOLEAN", "Whether it has"),
        Column("active", "INTEGER", "Members with a purchase in [A0 - W, A0)"),
        Column("churned", "INTEGER", "Of these, without purchase in [A0, A0 + W); NULL until matured", nullable=True),
        Column("churn_rate", "DOUBLE", "churned / active", nullable=True),
        _reason("churn_rate"),
        Column(
            "inactive_share",
            "DOUBLE",
            "Members inactive for over W days, of those older than W",
            nullable=True,
        ),
        Column("estimated_churn_rate", "DOUBLE", "Early estimate: mean churn risk of the active", nullable=True),
        _reason("estimated_churn_rate"),
        Column("in_hindsight", "BOOLEAN", "Whether the estimate's model knows later orders", nullable=True),
        Column("estimate_error", "DOUBLE", "estimated_churn_rate - churn_rate, once matured", nullable=True),
        Column(
            "last_estimate_error",
            "DOUBLE",
            "estimate_error of the latest period that has matured by then",
            nullable=True,
        ),
        _LOW_SAMPLE,
    ),
)

AVERAGE_ORDER_VALUE = _kpi(
    "average_order_value",
    "Average order value by opening segment: sales of purchases over number of purchases.",
    (
        Column("customers", "INTEGER", "Customers with a purchase in the period"),
        Column("orders", "INTEGER", "Purchases in the period"),
        Column("zero_value_orders", "INTEGER", "Orders with a net amount of zero, counted apart"),
        Column("refunds", "INTEGER", "Refunds, counted apart"),
        Column("sales", MONEY, "Net amount of the purchases, currency units"),
        Column("average_order_value", "DOUBLE", "sales / orders, currency units", nullable=True),
        _reason("average_order_value"),
        _LOW_SAMPLE,
    ),
)

SALES_CONTRIBUTION = _kpi(
    "sales_contribution",
    "Contribution of each opening segment to the total net sales of the period, refunds taken off.",
    (
        Column("customers", "INTEGER", "Customers with an order or refund in the period"),
        Column("sales", MONEY, "Net sales of the segment, currency units"),
        Column("total_sales", MONEY, "Net sales of all segments, currency units"),
        # Wide, because refunds can leave a total of a cent: any amount of money over 0.01 must fit.
        Column("sales_contribution", "DECIMAL(26,6)", "sales / total_sales; a period sums to exactly 1", nullable=True),
        _reason("sales_contribution"),
    ),
)

SEGMENT_METRICS_HISTORY = Contract(
    schema="kpi",
    name="segment_metrics_history",
    meaning="History of each segment's headline metrics (SCD type 2): one row per segment and spell of periods with "
    "the same figures. The newest period may still be open.",
    columns=(
        _SEGMENT_KEY,
        *_spell("opening of its first period"),
        *_taken_from(CLV_GROWTH, "customers", "clv_growth", "clv_growth_reason"),
        *_taken_from(CHURN_RATE, "churn_rate", "churn_rate_reason"),
        *_taken_from(AVERAGE_ORDER_VALUE, "average_order_value", "average_order_value_reason"),
        *_taken_from(SALES_CONTRIBUTION, "sales", "sales_contribution", "sales_contribution_reason"),
    ),
    key=("segment_key", "valid_from"),
    published=True,
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
        Column("period", "DATE", "Opening date A0 of the KPI tables' last period at the time of erasure, UTC"),
        Column("segment_key", "VARCHAR", "Segment at the opening"),
        Column("customers", "INTEGER", "Customers erased"),
        Column("net_sales", MONEY, "Their historic customer lifetime value at the opening, currency units"),
    ),
    key=("period_unit", "period", "segment_key"),
)

CHANGED_CUSTOMERS = Contract(
    schema="silver",
    name="changed_customers",
    meaning="Whose orders changed, revision by revision: what the tables of customers have to be made anew for.",
    columns=(
        Column("revision", "BIGINT", "Number of the transaction that changed silver.orders, ascending"),
        CUSTOMER_HASH,
        Column("since", "DATE", "Day of the earliest of their orders that came, went or is another"),
    ),
    key=("revision", "customer_hash"),
)

# All columns that tables of customers are made of.
_FOLLOWED = (
    *("customer_id", "customer_hash", "purchased_at", "order_kind", "gross_amount", "discount_amount", "net_amount"),
    *("coupon_used", "product_category", "topic_id", "partition", "offset", "kafka_timestamp", "batch_key"),
)
TOUCHED_ORDERS = Contract(
    schema="silver",
    name="touched_orders",
    meaning="All orders of the customers that changed from one revision to another: found once for all tables.",
    columns=(
        Column("after_revision", "BIGINT", "The customers are those that changed after this revision"),
        Column("revision", "BIGINT", "and up to this one"),
        *(column for column in SILVER_ORDERS.columns if column.name in _FOLLOWED),
    ),
    key=("topic_id", "partition", "offset"),
)

REFRESHES = Contract(
    schema="gold",
    name="refreshes",
    meaning="How far each table of customers has followed the orders.",
    columns=(
        Column("table_name", "VARCHAR", "Table"),
        Column("revision", "BIGINT", "The table knows the changes up to this revision of silver.changed_customers"),
        Column(
            "checked", "BIGINT", "Up to here its checks have passed; NULL: not since all rows were made", nullable=True
        ),
        Column("full_rebuilds", "BIGINT", "How often all of its rows were made"),
        Column("state", "VARCHAR", "What else its rows depend on: clock, models, settings and its inputs"),
    ),
    key=("table_name",),
)

# How the tables of customers are kept up to date: no assets, because they say nothing that the assets do not say.
BOOKKEEPING: tuple[Contract, ...] = (CHANGED_CUSTOMERS, TOUCHED_ORDERS, REFRESHES)

# Written by `bridgecart forget` alone: no assets, because no run could make them again from the topic.
ERASURE_TABLES: tuple[Contract, ...] = (FORGOTTEN_CUSTOMERS, ERASED_VALUE)

ANNOUNCED_SEGMENTS = Contract(
    schema="gold",
    name="announced_segments",
    meaning="The segment of every customer that the topic of segment changes tells.",
    columns=(Column("customer_id", "VARCHAR", "Customer"), _SEGMENT_KEY),
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
    ),
    key=("change",),
)

# What `bridgecart announce` remembers: no assets, because they depend on what was sent, not on the orders alone.
OUTBOX_TABLES: tuple[Contract, ...] = (ANNOUNCED_SEGMENTS, SEGMENT_CHANGES)

TABLES: Mapping[str, Contract] = MappingProxyType(
    {
        contract.full_name: contract
        for contract in (
            RAW_ORDERS,
            RAW_BATCHES,
            SILVER_ORDERS,
            SILVER_DUPLICATES,
            SILVER_REJECTS,
            SILVER_CUSTOMERS,
            CUSTOMER_FEATURES,
            PURCHASE_MODEL,
            SEGMENT_MODEL,
            CUSTOMER_SEGMENTS,
            SEGMENT_DRIFT,
            CUSTOMER_SNAPSHOTS,
            SEGMENT_FLOWS,
            SEGMENT_MEMBERSHIP,
            CLV_GROWTH,
            CHURN_RATE,
            AVERAGE_ORDER_VALUE,
            SALES_CONTRIBUTION,
            SEGMENT_METRICS_HISTORY,
        )
    }
)

TRAITS: tuple[str, ...] = tuple(column.name for column in _TRAITS)
KPI_TABLES: tuple[Contract, ...] = (CLV_GROWTH, CHURN_RATE, AVERAGE_ORDER_VALUE, SALES_CONTRIBUTION)


def schemas() -> Iterator[str]:
    """The schemas of the warehouse, in layer order."""
    yield from dict.fromkeys(contract.schema for contract in TABLES.values())
