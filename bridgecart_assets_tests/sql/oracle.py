"""The definitions of kpis.md once more, in plain Python and as slowly as they read: what the SQL must agree with.

Every figure is computed from all orders before an instant; nothing is carried over from one date to the next.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

from bridgecart_assets_tests.sql import predictions
from bridgecart_assets_tests.sql.history import Order, Segment

UNASSIGNED = "unassigned"
NEW = "new"
ONE_DAY = timedelta(days=1)
ZERO = Decimal(0)

Orders = tuple[Order, ...]
Model = tuple[Segment, ...]


@dataclass(frozen=True)
class Period:
    """A calendar period `[opens, closes)`, cut off at the end of the data."""

    opens: date
    closes: date
    complete: bool


@dataclass(frozen=True)
class Interval:
    """What held from a date, inclusive, to another, exclusive; None: it still does."""

    value: Any
    valid_from: date
    valid_to: date | None


def data_clock(orders: Orders, as_of: date | None) -> date | None:
    """The as-of date (exclusive): given, or the end of the day of the latest order."""
    if as_of is not None:
        return as_of
    return max(order.day for order in orders) + ONE_DAY if orders else None


def periods(orders: Orders, as_of: date | None, unit: str) -> list[Period]:
    """All periods from that of the first order to the data clock."""
    clock = data_clock(orders, as_of)
    days = [order.day for order in orders if clock is not None and order.day < clock]
    if clock is None or not days:
        return []
    found = []
    opens = opening_of(min(days), unit)
    while opens < clock:
        end = _end_of(opens, unit)
        found.append(Period(opens, min(end, clock), complete=end <= clock))
        opens = end
    return found


def opening_of(day: date, unit: str) -> date:
    """The first day of the period that holds the day; weeks begin on Monday."""
    if unit == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if unit == "week" else day


def _end_of(opens: date, unit: str) -> date:
    if unit == "month":
        return (opens.replace(day=28) + timedelta(days=4)).replace(day=1)
    return opens + timedelta(days=7 if unit == "week" else 1)


def purchase_days(orders: Iterable[Order]) -> dict[str, list[date]]:
    """Per customer, the sorted days with a purchase."""
    days: dict[str, list[date]] = {}
    for customer, day in sorted({(order.customer, order.day) for order in orders if order.kind == "purchase"}):
        days.setdefault(customer, []).append(day)
    return days


def features(orders: Orders, as_of: date) -> dict[str, dict[str, Any]]:
    """`gold.customer_features` as of a date: customer -> column -> value."""
    before = [order for order in orders if order.day < as_of]
    days_of = purchase_days(before)
    rows = {}
    for customer in {order.customer for order in before}:
        own = [order for order in before if order.customer == customer]
        bought = [order for order in own if order.kind == "purchase"]
        days = days_of.get(customer, [])
        categories = Counter(order.category for order in bought if order.category is not None)
        spent = {day: total(order for order in bought if order.day == day) for day in days}
        logs = [math.log(spent[day]) for day in days]
        row: dict[str, Any] = {
            "as_of": as_of,
            "first_purchased_on": days[0] if days else None,
            "last_purchased_on": days[-1] if days else None,
            "recency_days": (as_of - ONE_DAY - days[-1]).days if days else None,
            "tenure_days": (as_of - ONE_DAY - days[0]).days if days else None,
            "frequency": len(days),
            "repeat_purchases": len(days) - 1 if days else None,
            "orders": len(bought),
            "zero_value_orders": sum(1 for order in own if order.kind == "zero"),
            "refunds": sum(1 for order in own if order.kind == "refund"),
            "net_sales": total(own),
            "average_order_value": float(total(bought)) / len(bought) if bought else None,
            "mean_interpurchase_days": _mean_gap(days),
            "discount_rate": _discount_rate(bought),
            "category_count": len(categories),
            "top_category": min(categories, key=lambda name: (-categories[name], name)) if categories else None,
            "coupon_orders": sum(1 for order in bought if order.coupon),
            "log_spend_sum": _sum(_fixed_point(log) for log in logs),
            "log_spend_square_sum": _sum(_fixed_point(log * log) for log in logs),
            "purchase_sales": total(bought),
            "largest_spend": max(spent.values(), default=None),
        }
        rows[customer] = row
    return rows


@lru_cache(maxsize=1000)
def segments_as_of(orders: Orders, as_of: date, model: Model) -> dict[str, str]:
    """Customer -> segment under a model that looks at spend only."""
    keys = {}
    for customer, row in features(orders, as_of).items():
        keys[customer] = UNASSIGNED
        if row["frequency"]:
            spend = float(row["log_spend_sum"]) / row["frequency"]
            distances = {segment.key: abs(math.log(segment.spend) - spend) for segment in model}
            keys[customer] = min(distances, key=distances.__getitem__)
    return keys


@lru_cache(maxsize=1000)
def value_as_of(orders: Orders, as_of: date) -> dict[str, Decimal]:
    """Customer -> historic customer lifetime value."""
    worth: dict[str, Decimal] = {}
    for order in orders:
        if order.day < as_of:
            worth[order.customer] = worth.get(order.customer, ZERO) + order.amount
    return worth


@lru_cache(maxsize=1000)
def predicted_as_of(orders: Orders, as_of: date) -> dict[str, Decimal]:
    """Customer -> predicted customer lifetime value, of those with a purchase day."""
    days = purchase_days(order for order in orders if order.day < as_of)
    rows = features(orders, as_of)
    return {
        customer: predictions.predicted_clv(
            own,
            float(rows[customer]["log_spend_sum"]),
            as_of,
            sales=rows[customer]["purchase_sales"],
            refunds=rows[customer]["purchase_sales"] - rows[customer]["net_sales"],
        )
        for customer, own in days.items()
    }


def memberships(orders: Orders, as_of: date | None, unit: str, model: Model) -> dict[str, list[Interval]]:
    """`gold.segment_membership`: customer -> intervals in one segment, as of each period opening and as of now."""
    clock = data_clock(orders, as_of)
    if clock is None:
        return {}
    seen: dict[str, list[tuple[date, str]]] = {}
    for day in sorted({clock, *(period.opens for period in periods(orders, as_of, unit))}):
        for customer, key in segments_as_of(orders, day, model).items():
            seen.setdefault(customer, []).append((day, key))
    return {customer: intervals(points) for customer, points in seen.items()}


def intervals(points: Sequence[tuple[date, Any]]) -> list[Interval]:
    """The intervals of equal values among dated values, given in the order of their dates."""
    firsts = [next(equal) for _, equal in groupby(points, key=itemgetter(1))]
    ends = [day for day, _ in firsts[1:]]
    return [Interval(value, day, end) for (day, value), end in zip(firsts, [*ends, None], strict=True)]


def clv_growth(orders: Orders, period: Period, key: str, model: Model) -> dict[str, object]:
    """KPI 1 of one period and segment."""
    s0, s1 = segments_as_of(orders, period.opens, model), segments_as_of(orders, period.closes, model)
    v0, v1 = value_as_of(orders, period.opens), value_as_of(orders, period.closes)
    opening = [customer for customer in s0 if s0[customer] == key]
    closing = [customer for customer in s1 if s1[customer] == key]
    opening_value = _sum(v0[customer] for customer in opening)
    closing_value = _sum(v1[customer] for customer in closing)
    kept_value = _sum(v1[customer] for customer in opening)
    growth = mix = None
    if opening_value > 0:
        growth = float(Fraction(kept_value) / Fraction(opening_value) - 1)
        if closing:
            mean1, mean0 = Fraction(closing_value) / len(closing), Fraction(opening_value) / len(opening)
            mix = float(mean1 / mean0 - 1)
    p0, p1 = predicted_as_of(orders, period.opens), predicted_as_of(orders, period.closes)
    predicted0, predicted1 = [p0[c] for c in opening if c in p0], [p1[c] for c in opening if c in p1]
    predicted_growth = total_growth = None
    if predicted0 and predicted1:
        if _sum(predicted0) > 0:
            predicted_growth = float(Fraction(_sum(predicted1)) / Fraction(_sum(predicted0)) - 1)
        if _sum(predicted0) + opening_value > 0:
            total_growth = float(
                Fraction(_sum(predicted1) + kept_value) / Fraction(_sum(predicted0) + opening_value) - 1
            )
    return {
        "opening_predicted_clv": _sum(predicted0) if predicted0 else None,
        "predicted_clv_growth": predicted_growth,
        "total_clv_growth": total_growth,
        "customers": len(opening),
        "closing_customers": len(closing),
        "clv_growth": growth,
        "clv_growth_mix_included": mix,
        "opening_clv": opening_value,
        "organic": kept_value - opening_value,
        "migrated_in": _sum(v1[customer] for customer in closing if customer in s0 and s0[customer] != key),
        "migrated_out": _sum(v1[customer] for customer in opening if s1[customer] != key),
        "new_customers": _sum(v1[customer] for customer in closing if customer not in s0),
        "removed": ZERO,
        "closing_clv": closing_value,
        "low_sample": len(opening) < 30,
    }


def churn_rate(
    orders: Orders, period: Period, key: str, model: Model, *, window_days: int, as_of: date | None
) -> dict[str, object]:
    """KPI 2 of one period and segment."""
    clock = data_clock(orders, as_of)
    assert clock is not None
    window = timedelta(days=window_days)
    known = tuple(order for order in orders if order.day < clock)
    s0 = segments_as_of(known, period.opens, model)
    members = [customer for customer in s0 if s0[customer] == key]
    days = purchase_days(known)
    before = {customer: [day for day in days.get(customer, []) if day < period.opens] for customer in members}
    active = [customer for customer in members if any(day >= period.opens - window for day in before[customer])]
    lost = [
        customer
        for customer in active
        if not any(period.opens <= day < period.opens + window for day in days[customer])
    ]
    grown_up = [customer for customer in members if before[customer] and period.opens - before[customer][0] >= window]
    sleeping = [customer for customer in grown_up if period.opens - before[customer][-1] > window]
    last_day_of_window = period.opens + window - ONE_DAY
    matured = last_day_of_window < (as_of or max(order.day for order in orders))
    risks = [predictions.churn_risk(before[customer], period.opens, window_days=window_days) for customer in active]
    estimate = sum(risks) / len(risks) if risks else None
    rate = len(lost) / len(active) if matured and active else None
    return {
        "estimated_churn_rate": estimate,
        "estimate_error": estimate - rate if estimate is not None and rate is not None else None,
        "customers": len(members),
        "matured": matured,
        "active": len(active),
        "churned": len(lost) if matured else None,
        "churn_rate": rate,
        "inactive_share": len(sleeping) / len(grown_up) if grown_up else None,
        "low_sample": len(active) < 30,
    }


def average_order_value(orders: Orders, period: Period, key: str, model: Model) -> dict[str, object]:
    """KPI 3 of one period and segment."""
    own = _sold_to(orders, period, key, model)
    bought = [order for order in own if order.kind == "purchase"]
    refunded = -total(order for order in own if order.kind == "refund")
    return {
        "customers": len({order.customer for order in bought}),
        "orders": len(bought),
        "zero_value_orders": sum(1 for order in own if order.kind == "zero"),
        "refunds": sum(1 for order in own if order.kind == "refund"),
        "sales": total(bought),
        "average_order_value": float(total(bought)) / len(bought) if bought else None,
        "refunded": refunded,
        "refund_share": float(refunded / total(bought)) if bought else None,
        "average_order_value_after_refunds": float(total(bought) - refunded) / len(bought) if bought else None,
        "low_sample": len({order.customer for order in bought}) < 30,
    }


def sales_contribution(orders: Orders, period: Period, key: str, model: Model) -> dict[str, object]:
    """KPI 4 of one period and segment; the shares before rounding."""
    own = _sold_to(orders, period, key, model)
    s1 = segments_as_of(orders, period.closes, model)
    closing = total(order for order in _sold(orders, period) if s1[order.customer] == key)
    spent = [total(order for order in own if order.customer == customer) for customer in {o.customer for o in own}]
    everything = total(_sold(orders, period))
    return {
        "customers": len({order.customer for order in own}),
        "sales": total(own),
        "total_sales": everything,
        "closing_sales": closing,
        "largest_customer_share": float(max(spent) / total(own)) if total(own) > 0 else None,
        "sales_contribution": Fraction(total(own)) / Fraction(everything) if everything > 0 else None,
        "closing_sales_contribution": Fraction(closing) / Fraction(everything) if everything > 0 else None,
    }


def _sold(orders: Orders, period: Period) -> list[Order]:
    return [order for order in orders if period.opens <= order.day < period.closes]


def _sold_to(orders: Orders, period: Period, key: str, model: Model) -> list[Order]:
    s0 = segments_as_of(orders, period.opens, model)
    return [order for order in _sold(orders, period) if s0.get(order.customer, NEW) == key]


def total(orders: Iterable[Order]) -> Decimal:
    """Sum of the net amounts."""
    return _sum(order.amount for order in orders)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def _fixed_point(value: float) -> Decimal:
    return Decimal(value).quantize(Decimal("1e-9"), rounding=ROUND_HALF_UP)


def _mean_gap(days: list[date]) -> float | None:
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    return sum(gaps) / len(gaps) if gaps else None


def _discount_rate(bought: list[Order]) -> float | None:
    gross = _sum(order.gross for order in bought)
    return float(_sum(Decimal(order.discount) for order in bought)) / float(gross) if gross > 0 else None
