"""KPI tables: one per figure, a row per period and segment, and the history of them all."""

from bridgecart_assets.contracts.columns import SEGMENT, SEGMENT_KEY, SUM, spell
from bridgecart_assets.contracts.contract import MONEY, Column, Contract, taken_from

_PERIOD = (
    Column("period", "DATE", "Opening date A0 of the period, UTC"),
    Column("closes_on", "DATE", "Closing date A1 (exclusive): end of the period, or of the data while it is open"),
    Column("is_complete", "BOOLEAN", "False while the data has not reached the end of the period"),
    *SEGMENT,
)

_LOW_SAMPLE = Column("low_sample", "BOOLEAN", "True when fewer than 30 customers stand behind the figure")


def _kpi(name: str, meaning: str, columns: tuple[Column, ...]) -> Contract:
    return Contract(
        schema="kpi",
        name=name,
        meaning=meaning,
        columns=(*_PERIOD, *columns),
        key=("period", "segment_key"),
        published=True,
    )


def _reason(of: str) -> Column:
    return Column(f"{of}_reason", "VARCHAR", f"Why {of} is NULL", nullable=True)


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
        Column("opening_predicted_clv", SUM, "Predicted value of the opening members then", nullable=True),
        Column("closing_predicted_clv", SUM, "Predicted value of the closing members then", nullable=True),
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
        SEGMENT_KEY,
        *spell("opening of its first period"),
        *taken_from(CLV_GROWTH, "customers", "clv_growth", "clv_growth_reason"),
        *taken_from(CHURN_RATE, "churn_rate", "churn_rate_reason"),
        *taken_from(AVERAGE_ORDER_VALUE, "average_order_value", "average_order_value_reason"),
        *taken_from(SALES_CONTRIBUTION, "sales", "sales_contribution", "sales_contribution_reason"),
    ),
    key=("segment_key", "valid_from"),
    published=True,
)

KPI_TABLES: tuple[Contract, ...] = (CLV_GROWTH, CHURN_RATE, AVERAGE_ORDER_VALUE, SALES_CONTRIBUTION)
