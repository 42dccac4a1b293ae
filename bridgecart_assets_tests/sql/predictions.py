"""What the purchase model predicts for one customer, in plain Python: what the SQL must agree with."""

import math
from datetime import date
from decimal import Decimal
from functools import lru_cache

from scipy.integrate import quad
from scipy.special import beta

from bridgecart_assets_tests.sql.history import PURCHASES, REFUND_SHARE, SPEND

HORIZON_DAYS = 365
DISCOUNT_RATE = 0.1


def churn_risk(days: list[date], as_of: date, *, window_days: int) -> float:
    """Probability of no purchase in the window, for a customer with these purchase days before `as_of`."""
    x, weeks = len(days) - 1, _weeks(days[0], as_of)
    m = PURCHASES
    silent = ((m.alpha + weeks) / (m.alpha + weeks + window_days / 7)) ** (m.r + x)
    return float(1 - p_alive(days, as_of) * (1 - silent))


def p_alive(days: list[date], as_of: date) -> float:
    """Probability that the customer has not dropped out."""
    x, weeks, until_last = len(days) - 1, _weeks(days[0], as_of), (days[-1] - days[0]).days / 7
    m = PURCHASES
    odds = m.a / (m.b + x) * ((m.alpha + weeks) / (m.alpha + until_last)) ** (m.r + x)
    return float(1 / (1 + odds))


def predicted_clv(
    days: list[date], log_spend_sum: float, as_of: date, *, sales: Decimal, refunds: Decimal = Decimal(0)
) -> Decimal:
    """Discounted expected sales of a year, in cents, of a customer with these sales so far and refunds of them."""
    n = len(days)
    bought = [expected_if_alive(n - 1, _weeks(days[0], as_of), HORIZON_DAYS * step / 12 / 7) for step in range(13)]
    discounted = sum((bought[step] - bought[step - 1]) / (1 + DISCOUNT_RATE) ** (step / 12) for step in range(1, 13))
    evidence, prior = n / SPEND.within, 1 / SPEND.between
    log_spend = (log_spend_sum / SPEND.within + SPEND.mean * prior) / (evidence + prior)
    spend = math.exp(log_spend + SPEND.within / 2 + 1 / (evidence + prior) / 2)
    share = (float(refunds) + 3 * spend * REFUND_SHARE) / (float(sales) + 3 * spend)
    return Decimal(p_alive(days, as_of) * discounted * spend * (1 - min(share, 1))).quantize(Decimal("0.01"))


@lru_cache(maxsize=10_000)
def expected_if_alive(x: int, weeks: float, horizon: float) -> float:
    """Expected purchases of a living customer: the model's own integral over the chance to drop out.

    With chance p and rate l the purchases to come are (1 - exp(-l p h)) / p; l is Gamma(r + x, alpha + T) and p is
    Beta(a, b + x + 1) in the light of what the customer did.
    """
    m = PURCHASES
    lived = m.alpha + weeks
    value, _ = quad(
        lambda p: (1 - (lived / (lived + p * horizon)) ** (m.r + x)) / p if p > 0 else (m.r + x) * horizon / lived,
        0,
        1,
        weight="alg",
        wvar=(m.a - 1, m.b + x),
        epsabs=1e-12,
        epsrel=1e-11,
        limit=200,
    )
    return float(value / beta(m.a, m.b + x + 1))


def _weeks(first: date, as_of: date) -> float:
    return ((as_of - first).days - 1) / 7
