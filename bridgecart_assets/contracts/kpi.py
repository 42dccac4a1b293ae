"""The KPIs: their tables, and one record each that says how people are shown the figure.

Assets, command line, CI summary, Dagster's plots, report, history and documents read the records. What belongs
elsewhere: the formulas (`sql/kpi/*.sql`) and what only one of the KPIs has to say (`report/`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bridgecart_assets.contracts.columns import SUM, validity
from bridgecart_assets.contracts.contract import MONEY, Column, Contract, taken_from

Format = Literal["money", "share", "ratio", "signed"]
Direction = Literal["higher", "lower", "neutral"]


@dataclass(frozen=True)
class Evidence:
    """The customers behind a figure: in the report the column that counts them, their words, and which says: few."""

    column: str
    words: str
    low_sample: str


@dataclass(frozen=True)
class Total:
    """The figure of all customers together: a ratio of two columns' sums, and why it is NULL without a denominator."""

    numerator: str
    denominator: str
    reason: str


@dataclass(frozen=True)
class Beside:
    """A further figure of the KPI's table: in the report's card and table, and for programs behind the KPI.

    Attributes:
        label: the heading of its column.
        words: the sentence that says it, with its value for `{}`.
        remarkable: above it people are told it wherever they are shown the KPI, because the KPI alone would mislead.

    """

    column: str
    label: str
    words: str
    format: Format
    remarkable: float | None = None

    def is_remarkable(self, value: float | None) -> bool:
        """True if people are told this value."""
        return value is not None and self.remarkable is not None and value > self.remarkable


@dataclass(frozen=True)
class Kpi:
    """One KPI. Its column is called as its table.

    Attributes:
        label: what people call it.
        format: money, a share (12.3%), a plain ratio (1.23), or a growth with its sign (+12.3%).
        reasons: the codes of `<column>_reason`, in words.
        caption: what stands above its trend; `{window}` is the churn window, `{unit}` the currency.
        direction: which way is better for a shop whatever else happens.
        heading: the label where there is little room; as `label` without one.
        kept: further columns of the table that stand before the figure in the history and for programs.
        shown: further columns that programs are shown behind it.
        matures: whether it exists only once a window after the opening is over; people see the latest that does.
        beside: further figures that people and programs are shown with it.
        evidence: the customers behind it in the report, where it has rows of them under other names than its own.
        total: of all customers; without one `sql/report/figures.sql` has the KPI, and `kpis.js` its card.

    """

    table: Contract
    label: str
    format: Format
    reasons: Mapping[str, str]
    caption: str
    direction: Direction = "neutral"
    heading: str = ""
    kept: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    matures: bool = False
    beside: tuple[Beside, ...] = ()
    evidence: Evidence | None = None
    total: Total | None = None

    @property
    def column(self) -> str:
        """The figure's column."""
        return self.table.name

    @property
    def reason(self) -> str:
        """The column that says why there is no figure."""
        return f"{self.column}_reason"

    @property
    def short_label(self) -> str:
        """The label where there is little room."""
        return self.heading or self.label

    @property
    def customers(self) -> Evidence:
        """The customers behind the figure, in the report."""
        return self.evidence or Evidence(
            f"{self.column}_customers", "Customers behind the figure", f"{self.column}_low_sample"
        )

    @property
    def history_columns(self) -> tuple[Column, ...]:
        """The columns of the history that are this KPI's."""
        return taken_from(self.table, *self.kept, self.column, self.reason)


_SEGMENT_KEY = Column(
    "segment_key",
    "VARCHAR",
    "Segment key (S01, ...), never reused; 'new' with a first order within the period, 'unassigned' without a segment",
)

_PERIOD = (
    Column("period", "DATE", "Opening date A0 of the period, in the shop's calendar"),
    Column("closes_on", "DATE", "Closing date A1 (exclusive): end of the period, or of the data while it is open"),
    Column("is_complete", "BOOLEAN", "False while the data has not reached the end of the period"),
    _SEGMENT_KEY,
    Column("segment", "VARCHAR", "Name of the segment in the current model version"),
    Column(
        "model_changed",
        "BOOLEAN",
        "True when another segment model was in force at the close: who moved may have been relabelled",
    ),
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
        Column("matures_on", "DATE", "A0 + W: the rate exists once there is an order of this day or a later one"),
        Column("matured", "BOOLEAN", "Whether there is, or BRIDGECART_AS_OF says that the days before are over"),
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
        Column("refunded", MONEY, "Amount of the refunds, above zero, currency units"),
        Column("refund_share", "DOUBLE", "refunded / sales; NULL without orders", nullable=True),
        Column(
            "average_order_value_after_refunds",
            "DOUBLE",
            "(sales - refunded) / orders, currency units; NULL without orders",
            nullable=True,
        ),
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
        Column("closing_sales", MONEY, "Net sales of the customers in the segment at the close, currency units"),
        Column(
            "closing_sales_contribution",
            "DECIMAL(26,6)",
            "closing_sales / total_sales; a period sums to exactly 1",
            nullable=True,
        ),
        Column(
            "largest_customer_at_most",
            "DOUBLE",
            "No customer has a larger share of the segment's sales: root of the sum of squares over the sum",
            nullable=True,
        ),
    ),
)

_NO_BASELINE = {"no_baseline": "the first period: there is nothing to compare with"}
_EMPTY_SEGMENT = {"empty_segment": "nobody was in the segment at the opening"}
_NO_PREDICTION = {"no_prediction": "the models had no predictions for it"}
_BUYERS = Evidence("buyers", "Customers who bought", "order_low_sample")

# Named, because texts tell when its window is over.
CHURN = Kpi(
    CHURN_RATE,
    label="Churn rate",
    format="share",
    reasons={
        **_NO_BASELINE,
        **_EMPTY_SEGMENT,
        "not_matured": "the window after the opening is not over yet",
        "nobody_active": "nobody was active at the opening",
        **_NO_PREDICTION,
    },
    caption="Churn rate: of the customers active at the opening, those without a purchase in the {window} after it",
    direction="lower",
    heading="Churn",
    shown=("matures_on",),
    matures=True,
    evidence=Evidence("active", "Customers active at the opening", "churn_low_sample"),
)

KPIS: tuple[Kpi, ...] = (
    Kpi(
        CLV_GROWTH,
        label="CLV growth",
        format="signed",
        reasons={
            **_NO_BASELINE,
            **_EMPTY_SEGMENT,
            "opening_value_not_positive": "the value at the opening was not above zero",
            **_NO_PREDICTION,
        },
        caption="CLV growth: of the net sales so far of the customers at the opening, until the close. It falls as "
        "history gets longer: compare segments, not periods",
        kept=("customers",),
        evidence=Evidence("customers", "Customers at the opening", "low_sample"),
    ),
    CHURN,
    Kpi(
        AVERAGE_ORDER_VALUE,
        label="Average order",
        format="money",
        reasons={"no_orders": "no purchase in the period"},
        caption="Average order value: sales over purchases, refunds not taken off, {unit}",
        direction="higher",
        heading="Avg order",
        shown=("orders",),
        beside=(
            Beside("average_order_value_after_refunds", "After refunds", "After refunds: {}.", "money"),
            # Beyond a quarter the average before refunds is that of another segment.
            Beside("refund_share", "Refund share", "Refunds take {} of these sales.", "share", remarkable=0.25),
        ),
        evidence=_BUYERS,
    ),
    Kpi(
        SALES_CONTRIBUTION,
        label="Share of sales",
        format="share",
        reasons={"total_sales_not_positive": "the sales of all segments together are not above zero"},
        caption="Contribution to the net sales of the period",
        kept=("sales",),
        beside=(
            Beside("closing_sales_contribution", "By closing segment", "By the segment at the close: {}.", "share"),
            Beside(
                "largest_customer_at_most",
                "Largest customer, at most",
                "As much as {} of these sales may be one customer's.",
                "share",
                remarkable=0.5,
            ),
        ),
        evidence=_BUYERS,
    ),
)

KPI_TABLES: tuple[Contract, ...] = tuple(kpi.table for kpi in KPIS)

SEGMENT_METRICS_HISTORY = Contract(
    schema="kpi",
    name="segment_metrics_history",
    meaning="History of each segment's headline metrics (SCD type 2): one row per segment and interval of periods with "
    "the same figures. The newest period may still be open.",
    columns=(
        _SEGMENT_KEY,
        *validity("opening of its first period"),
        *(column for kpi in KPIS for column in kpi.history_columns),
    ),
    key=("segment_key", "valid_from"),
    published=True,
)
