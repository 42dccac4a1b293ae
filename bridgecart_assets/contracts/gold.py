"""Gold tables: what is known of each customer, the models, the segments, and their history."""

from bridgecart_assets.contracts.columns import CUSTOMER_HASH, SEGMENT, SEGMENT_KEY, SUM, validity
from bridgecart_assets.contracts.contract import MONEY, Column, Contract, taken_from
from bridgecart_assets.contracts.lifecycles import LIFECYCLES
from bridgecart_assets.contracts.traits import SEGMENTATION_TRAITS, TRAIT_COLUMNS, TRAITS, Trait

# Fixed point, so that sums do not depend on the order of the rows.
SPEND_SUMS = (
    Column("log_spend_sum", "DECIMAL(18,9)", "Sum over purchase days of ln(sum of the day's purchases)"),
    Column(
        "log_spend_square_sum",
        "DECIMAL(18,9)",
        "Sum over purchase days of the square of ln(sum of the day's purchases)",
    ),
)

# What the models have to say about a customer; NULL without purchase or below the data gate.
_PREDICTION = (
    Column("p_alive", "DOUBLE", "Probability of not having dropped out for good", nullable=True),
    Column("churn_risk", "DOUBLE", "Probability of no purchase within the churn window", nullable=True),
    Column("predicted_clv", MONEY, "Discounted expected sales within the horizon, after refunds", nullable=True),
)

CUSTOMER_FEATURES = Contract(
    schema="gold",
    name="customer_features",
    meaning="What is known of each customer as of the end of the data clock's day: facts, no model.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        Column("as_of", "DATE", "Everything is computed from orders before this date of the shop's calendar"),
        Column("first_purchased_on", "DATE", "First purchase day", nullable=True),
        Column("last_purchased_on", "DATE", "Latest purchase day", nullable=True),
        Column("recency_days", "INTEGER", "Days from the latest purchase day to the data clock", nullable=True),
        Column("tenure_days", "INTEGER", "Days from the first purchase day to the data clock", nullable=True),
        Column("frequency", "INTEGER", "Purchase days n: days with a purchase"),
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
        *SPEND_SUMS,
        Column("purchase_sales", MONEY, "Net amount of the purchases, currency units"),
        Column("largest_spend", MONEY, "Largest spend on a purchase day, currency units; NULL without", nullable=True),
    ),
    key=("customer_id",),
    published=True,
    is_view=True,
)

PURCHASE_MODEL = Contract(
    schema="gold",
    name="purchase_model",
    meaning="Versions of the purchase model (MBG/NBD, and spend): how often customers buy, how much they "
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
        Column(
            "a",
            "DOUBLE",
            "First parameter of the beta distribution of drop-out; 0: none drops out; NULL without fit",
            nullable=True,
        ),
        Column("b", "DOUBLE", "Second parameter of the beta distribution of drop-out", nullable=True),
        Column("log_likelihood", "DOUBLE", "Log-likelihood of the fit", nullable=True),
        Column("log_spend_mean", "DOUBLE", "Mean over customers of ln(spend on a purchase day)"),
        Column("log_spend_variance_within", "DOUBLE", "Its variance around a customer's own mean"),
        Column("log_spend_variance_between", "DOUBLE", "Variance of the customers' own means"),
        Column("coupon_share_mean", "DOUBLE", "Share of purchases with coupon over all customers"),
        Column("no_prediction_reason", "VARCHAR", "Why predictions are NULL under this version", nullable=True),
        Column("largest_mean_spend", "DOUBLE", "Largest mean of a customer's purchase days, currency units"),
        Column(
            "candidate", "VARCHAR", "Model that predicts: pooled, covariates, seasonal or no_dropout", nullable=True
        ),
        Column("chosen_because", "VARCHAR", "Why it was chosen among the candidates", nullable=True),
        Column(
            "pooled_log_score", "DOUBLE", "Mean log score of the pooled model in the window held out", nullable=True
        ),
        Column(
            "pooled_error", "DOUBLE", "Purchase days it predicts for the window over actual, minus 1", nullable=True
        ),
        Column("covariates_log_score", "DOUBLE", "Mean log score of the model with covariates", nullable=True),
        Column("covariates_error", "DOUBLE", "Purchase days it predicts over actual, minus 1", nullable=True),
        Column("spend_level_mean", "DOUBLE", "Level 0 of spend: mean ln(net total of a purchase day)", nullable=True),
        Column("spend_level_scale", "DOUBLE", "Its deviation, 4 levels", nullable=True),
        Column("coupon_level_mean", "DOUBLE", "Level 0 of coupons: mean share of purchases with coupon", nullable=True),
        Column("coupon_level_scale", "DOUBLE", "Its deviation, 4 levels; 0: the same for everybody", nullable=True),
        Column(
            "coefficients",
            "DOUBLE[]",
            "Of ln r, ln alpha, ln a and ln b in turn: constant, spend, coupons, their squares, their product; "
            "NULL where r, alpha, a and b hold for everybody",
            nullable=True,
        ),
        Column("spend_model", "VARCHAR", "Model of spend on a purchase day: credibility, log-normal or Gamma-Gamma"),
        Column("spend_mean", "DOUBLE", "Mean over customers of spend on a purchase day, currency units"),
        Column("spend_prior_days", "DOUBLE", "Purchase days that it weighs as much as, beside a customer's own"),
        Column(
            "log_spend_scale", "DOUBLE", "What the means of log-normal spend are multiplied by, to come to the sales"
        ),
        Column(
            "repeat_spend_scale",
            "DOUBLE",
            "What expected spend is multiplied by, to be that of repeat purchases; 1 where these bring no other",
        ),
        Column("refund_share_mean", "DOUBLE", "Refunds over sales of all customers, at most 1"),
        Column("spend_backtest", "VARCHAR", "Models of spend compared on the days held out: JSON, [] without enough"),
        Column(
            "season",
            "DOUBLE[]",
            "Factors of the months January to December, mean 1: time is counted in days of the season. NULL: in days",
            nullable=True,
        ),
        Column(
            "seasonal_log_score", "DOUBLE", "Mean log score of the better model in days of the season", nullable=True
        ),
        Column("seasonal_error", "DOUBLE", "Purchase days it predicts over actual, minus 1", nullable=True),
    ),
    key=("version",),
    published=True,
)

# Columns of later traits stand at the end, where a migration can add them.
_FIRST_TRAITS = 3


def _centroid_columns(trait: Trait) -> tuple[Column, ...]:
    parts = {"mean": "Mean", "scale": "Standard deviation", "centroid": "Standardised centroid"}
    return tuple(Column(f"{part}_{trait.name}", "DOUBLE", f"{words} of {trait.name}") for part, words in parts.items())


def _bin_columns(trait: Trait) -> tuple[Column, ...]:
    return (
        Column(f"bounds_{trait.name}", "DOUBLE[]", f"Upper bounds of the drift bins of {trait.name}: deciles"),
        Column(f"bin_customers_{trait.name}", "INTEGER[]", "Customers of the fit in each of them, and above"),
    )


def _left_out_column(trait: Trait) -> Column:
    return Column(
        f"left_out_{trait.name}", "VARCHAR", f"Why {trait.name} does not count; NULL when it does", nullable=True
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
        *(column for trait in SEGMENTATION_TRAITS[:_FIRST_TRAITS] for column in _centroid_columns(trait)),
        *(column for trait in SEGMENTATION_TRAITS[:_FIRST_TRAITS] for column in _bin_columns(trait)),
        Column("segments_asked", "VARCHAR", "Segments asked for, or auto; NULL: as many as there are", nullable=True),
        Column("fewer_because", "VARCHAR", "Why there are fewer segments than that; NULL otherwise", nullable=True),
        *(_left_out_column(trait) for trait in SEGMENTATION_TRAITS[:_FIRST_TRAITS]),
        Column("largest_spend", "DOUBLE", "Largest spend on a purchase day of its customers in the fit"),
        Column(
            "remarks", "VARCHAR", "In words: fewer segments than asked for, traits that do not count", nullable=True
        ),
        *(
            column
            for trait in SEGMENTATION_TRAITS[_FIRST_TRAITS:]
            for column in (*_centroid_columns(trait), *_bin_columns(trait), _left_out_column(trait))
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
        *SEGMENT,
        Column("model_version", "INTEGER", "Version of the segment model; NULL when unassigned", nullable=True),
        Column("confidence", "DOUBLE", "(d2 - d1) / (d2 + d1) of the two nearest centroids, 0 to 1", nullable=True),
        Column("runner_up_key", "VARCHAR", "Key of the second nearest segment", nullable=True),
        Column("ambiguous", "BOOLEAN", "Confidence below 0.1; NULL when unassigned", nullable=True),
        Column(
            "lifecycle",
            "VARCHAR",
            f"{', '.join(LIFECYCLES[:-1])} or {LIFECYCLES[-1]}; NULL without purchase",
            nullable=True,
        ),
        *TRAIT_COLUMNS,
        *_PREDICTION,
        Column("expected_spend", "DOUBLE", "Expected spend on a purchase day, currency units", nullable=True),
        Column("expected_purchases", "DOUBLE", "Expected purchase days within the horizon", nullable=True),
        Column("no_prediction_reason", "VARCHAR", "Why there is no prediction; NULL when there is one", nullable=True),
        Column("net_sales", MONEY, "Historic customer lifetime value, currency units"),
    ),
    key=("customer_id",),
    published=True,
    is_view=True,
)

AUDIENCES = Contract(
    schema="gold",
    name="audiences",
    meaning="Every customer as campaigns choose them: segment, lifecycle, value at risk, rank by value, id plain and "
    "hashed. `bridgecart export` chooses from it.",
    columns=(
        *taken_from(CUSTOMER_SEGMENTS, "customer_id", "customer_hash", "as_of", "segment_key", "segment", "lifecycle"),
        Column("at_risk", "BOOLEAN", "Whether the lifecycle is at risk"),
        *taken_from(CUSTOMER_SEGMENTS, "net_sales", "predicted_clv"),
        Column(
            "value_at_risk", MONEY, "Predicted value of a customer at risk, 0 of others; NULL without", nullable=True
        ),
        Column(
            "value_rank",
            "BIGINT",
            "1 for the highest predicted value, then by customer_id; without one after those who have, by net_sales",
        ),
        Column("hashed_id", "VARCHAR", "SHA-256 of customer_id in UTF-8, in lower-case hexadecimal digits"),
    ),
    key=("customer_id",),
    published=True,
    is_view=True,
)

SEGMENT_DRIFT = Contract(
    schema="gold",
    name="segment_drift",
    meaning="How far customers are from those that the segment model in force was fitted to: the population stability "
    "index of each trait and of the segment mix, and whether it is an alert.",
    columns=(
        Column("measure", "VARCHAR", f"{', '.join(TRAITS)} or segment_mix"),
        Column("as_of", "DATE", "Date of the customers, exclusive"),
        Column("model_version", "INTEGER", "Version of the segment model in force on that date"),
        Column("psi", "DOUBLE", "Population stability index over the bins of the fit; 0: no change"),
        Column("threshold", "DOUBLE", "0.1, or what one in a thousand equal samples of these sizes exceeds, if higher"),
        Column("alert", "BOOLEAN", "Whether psi of what counts is above it, on a later data date than the fit's"),
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
        Column("as_of", "DATE", "Everything is computed from orders before this date of the shop's calendar"),
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
        *TRAIT_COLUMNS,
        Column("segment_key", "VARCHAR", "Segment as of then; 'unassigned' without a segment"),
        Column("model_version", "INTEGER", "Version of the segment model; NULL when unassigned", nullable=True),
        *_PREDICTION,
        Column("in_hindsight", "BOOLEAN", "Whether the prediction's model knows later orders", nullable=True),
        Column("expected_window_sales", MONEY, "Expected net sales in the churn window from as_of on", nullable=True),
    ),
    key=("as_of", "customer_id"),
    is_view=True,
)

SEGMENT_FLOWS = Contract(
    schema="gold",
    name="segment_flows",
    meaning="Customers, value and sales by period, segment at its opening and segment at its close: what the KPIs are "
    "made of. Every column is a sum over customers.",
    columns=(
        Column("period", "DATE", "Opening date A0 of the period, in the shop's calendar"),
        Column("closes_on", "DATE", "Closing date A1 (exclusive): end of the period, or of the data while it is open"),
        Column("opening_key", "VARCHAR", "Segment key at the opening; 'new' for customers who did not exist then"),
        Column("closing_key", "VARCHAR", "Segment key at the close; 'gone' for customers who exist no more"),
        Column("customers", "BIGINT", "Customers"),
        Column("opening_clv", SUM, "Historic value at the opening, currency units"),
        Column("closing_clv", SUM, "Historic value at the close, currency units"),
        Column("opening_predicted_clv", SUM, "Predicted value at the opening, currency units"),
        Column("opening_predicted", "BIGINT", "Customers with a predicted value at the opening"),
        Column("closing_predicted_clv", SUM, "Predicted value at the close, currency units"),
        Column("closing_predicted", "BIGINT", "Customers with a predicted value at the close"),
        Column("ordered", "BIGINT", "Customers with an order or refund in the period"),
        Column("bought", "BIGINT", "Customers with a purchase in the period"),
        Column("orders", "BIGINT", "Purchases in the period"),
        Column("zero_value_orders", "BIGINT", "Orders with a net amount of zero in the period"),
        Column("refunds", "BIGINT", "Refunds in the period"),
        Column("purchase_sales", SUM, "Net amount of the purchases in the period, currency units"),
        Column("net_sales", SUM, "Net amount of the period, refunds taken off, currency units"),
        Column("net_sales_square", "DECIMAL(38,4)", "Sum over the customers of the square of their net amount"),
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
    meaning="History of every customer's segment (SCD type 2): one row per customer and interval in one segment.",
    columns=(
        Column("customer_id", "VARCHAR", "Customer"),
        CUSTOMER_HASH,
        SEGMENT_KEY,
        Column(
            "model_version",
            "INTEGER",
            "Version of the segment model at the start of the interval; NULL when unassigned",
            nullable=True,
        ),
        *validity("date of the first snapshot that shows it, a period opening or now"),
    ),
    key=("customer_id", "valid_from"),
    published=True,
    is_view=True,
)
