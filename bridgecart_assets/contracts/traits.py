"""The traits by which customers are segmented, one record each.

Sampling, scoring, model table, drift, names of segments, comparison of versions, report and documents read the records.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, floor, log10
from typing import Literal

from bridgecart_assets.contracts.contract import Column


@dataclass(frozen=True)
class Threshold:
    """The word in a segment's name when the mean of its customers is beyond so many deviations from that of all."""

    deviations: float
    word: str


@dataclass(frozen=True)
class Trait:
    """One trait of a customer.

    Attributes:
        formula: the trait in SQL, of the customer's figures so far (`frequency`, `orders`, `coupon_orders`,
            `log_spend_sum`, `weeks` since the first purchase) and the parameters of the purchase model.
        own: what the customer's own purchases say, not drawn towards anybody, in the units of `readable`.
        reliability: variance between customers over that between customers and by chance, at the customer's own number
            of purchases; of the same figures, and `coupon_share_variance` between customers.
        label: what customers do who have much of it.
        short: its name in the report's columns.
        readable: its name where versions of the model are compared, there without logarithm.
        transform: log where the trait is the logarithm of what is readable.
        decimals: of the readable figure.
        low, high: the words of a segment's name.
        described: a readable value in the name of a segment that no word tells from the others.

    """

    column: Column
    formula: str
    own: str
    reliability: str
    label: str
    short: str
    readable: str
    transform: Literal["log", "none"]
    decimals: int
    low: Threshold | None = None
    high: Threshold | None = None
    described: Callable[[float], str] | None = None

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    def readable_value(self, value: float) -> float:
        """A value of the trait in the units of `readable`."""
        return exp(value) if self.transform == "log" else value


def _short(value: float) -> str:
    """A positive number in two digits, without separators, which mean another thing elsewhere: 2900, 22k."""
    rounded = round(value, 1 - floor(log10(value)))
    for least, unit, letters in ((1e9, 1e9, "bn"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if rounded >= least:
            return f"{rounded / unit:g}{letters}"
    return f"{rounded:g}"


def _interval(purchases_a_week: float) -> str:
    days = _short(7 / purchases_a_week)
    return "every day" if days == "1" else f"every {days} days"


SEGMENTATION_TRAITS: tuple[Trait, ...] = (
    Trait(
        Column(
            "log_purchase_rate", "DOUBLE", "Trait: ln of purchase days a week, shrunk to that of all", nullable=True
        ),
        formula="log_purchase_rate_of(frequency, weeks, r, alpha)",
        own="frequency",
        reliability="weeks / (alpha + weeks)",
        label="buys often",
        short="purchases",
        readable="purchases_a_week",
        transform="log",
        decimals=4,
        low=Threshold(-0.5, "rare"),
        high=Threshold(0.5, "frequent"),
        described=_interval,
    ),
    Trait(
        Column("log_spend", "DOUBLE", "Trait: ln of spend on a purchase day, shrunk to that of all", nullable=True),
        formula="log_spend_of(frequency, log_spend_sum, log_spend_mean, log_spend_variance_within, "
        "log_spend_variance_between)",
        own="exp(log_spend_sum::double / frequency)",
        reliability="log_spend_variance_between / (log_spend_variance_between + log_spend_variance_within / frequency)",
        label="spends much",
        short="spend",
        readable="spend",
        transform="log",
        decimals=2,
        low=Threshold(-0.5, "low-ticket"),
        high=Threshold(0.75, "high-ticket"),
        described=lambda spend: f"{_short(spend)} a time",
    ),
    Trait(
        Column("coupon_share", "DOUBLE", "Trait: share of purchases with coupon, shrunk to that of all", nullable=True),
        formula="coupon_share_of(orders, coupon_orders, coupon_share_mean)",
        own="coupon_orders / orders",
        reliability="coupon_share_variance * orders / nullif("
        "coupon_share_variance * (orders - 1) + coupon_share_mean * (1 - coupon_share_mean), 0)",
        label="uses coupons",
        short="coupons",
        readable="coupon_share",
        transform="none",
        decimals=4,
        high=Threshold(0.75, "coupon-driven"),
        described=lambda share: f"{100 * share:.0f} % with coupon",
    ),
)

TRAIT_COLUMNS: tuple[Column, ...] = tuple(trait.column for trait in SEGMENTATION_TRAITS)
TRAITS: tuple[str, ...] = tuple(trait.name for trait in SEGMENTATION_TRAITS)
