"""The five kinds of customer. A persona sets distributions; each customer draws its own parameters."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Persona:
    """Distributions of one persona's customers; money in INR, rates per day.

    - Purchase rate ~ Gamma(`rate_shape`, mean `rate`).
    - Drop-out probability after each purchase ~ Beta(mean `dropout`, concentration `dropout_concentration`).
    - Mean of a customer's ln(net spend per order) ~ Normal(ln `spend`, `spend_sd_between`);
      its orders scatter around that by `spend_sd_within`.
    - Coupon affinity, the chance that an order uses one ~ Beta(mean `coupon`, `coupon_concentration`).
    - Age in years and income in INR a year: mean and median.
    """

    name: str
    sentence: str
    share: float
    rate: float
    rate_shape: float
    dropout: float
    dropout_concentration: float
    spend: float
    spend_sd_between: float
    spend_sd_within: float
    coupon: float
    coupon_concentration: float
    age: float
    income: float


PERSONAS: tuple[Persona, ...] = (
    Persona(
        name="loyal_regular",
        sentence="Comes back about twice a month for a mid-sized basket and rarely needs a coupon.",
        share=0.28,
        rate=1 / 14,
        rate_shape=6.0,
        dropout=0.020,
        dropout_concentration=40.0,
        spend=2_200.0,
        spend_sd_between=0.25,
        spend_sd_within=0.45,
        coupon=0.17,
        coupon_concentration=30.0,
        age=38.0,
        income=900_000.0,
    ),
    Persona(
        name="big_ticket",
        sentence="Buys a few times a year, but then electronics, furniture or jewellery at full price.",
        share=0.15,
        rate=1 / 55,
        rate_shape=4.0,
        dropout=0.060,
        dropout_concentration=25.0,
        spend=19_000.0,
        spend_sd_between=0.35,
        spend_sd_within=0.50,
        coupon=0.15,
        coupon_concentration=30.0,
        age=46.0,
        income=2_100_000.0,
    ),
    Persona(
        name="bargain_hunter",
        sentence="Waits for a coupon: most orders carry one, and the basket stays modest.",
        share=0.23,
        rate=1 / 24,
        rate_shape=5.0,
        dropout=0.040,
        dropout_concentration=30.0,
        spend=900.0,
        spend_sd_between=0.30,
        spend_sd_within=0.45,
        coupon=0.82,
        coupon_concentration=30.0,
        age=31.0,
        income=520_000.0,
    ),
    Persona(
        name="small_frequent",
        sentence="Uses the shop as a corner store: a small basket about once a week.",
        share=0.22,
        rate=1 / 7,
        rate_shape=6.0,
        dropout=0.015,
        dropout_concentration=60.0,
        spend=330.0,
        spend_sd_between=0.25,
        spend_sd_within=0.40,
        coupon=0.15,
        coupon_concentration=30.0,
        age=29.0,
        income=600_000.0,
    ),
    Persona(
        name="one_off",
        sentence="Buys once, perhaps a gift, and mostly never returns.",
        share=0.12,
        rate=1 / 120,
        rate_shape=4.0,
        dropout=0.800,
        dropout_concentration=15.0,
        spend=4_500.0,
        spend_sd_between=0.35,
        spend_sd_within=0.50,
        coupon=0.20,
        coupon_concentration=20.0,
        age=41.0,
        income=800_000.0,
    ),
)
