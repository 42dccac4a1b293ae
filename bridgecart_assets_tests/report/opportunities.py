"""What is to be done, once more in plain Python from the orders: what the SQL of the report must agree with."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.storage.database import Warehouse, rows_of
from bridgecart_assets.warehouse.storage.outputs import Parameter
from bridgecart_assets.warehouse.storage.tables import run_steps
from bridgecart_assets_tests.sql import oracle, predictions
from bridgecart_assets_tests.sql.history import BY_SPEND, Order

ENOUGH = 30
YEAR = timedelta(days=365)
Key = tuple[str, str, str]
Row = dict[str, Any]


@dataclass
class Customer:
    """One customer as of a date, and what was bought and given back in the year before it."""

    name: str
    segment: str
    lifecycle: str
    recency: int
    purchase_days: int
    worth: Decimal
    predicted: Decimal
    gross: Decimal = Decimal(0)
    sales: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    discounts: Decimal = Decimal(0)
    coupons: list[bool | None] = field(default_factory=list)
    refund_days: set[date] = field(default_factory=set)

    @property
    def with_coupon(self) -> int:
        return self.coupons.count(True)

    @property
    def without_coupon(self) -> int:
        return self.coupons.count(False)

    @property
    def given_back(self) -> Decimal:
        return min(self.refunded, self.sales)


def lifecycle_of(days: list[date], as_of: date, window: int) -> str:
    recency, tenure = ((as_of - day).days - 1 for day in (days[-1], days[0]))
    alive = predictions.p_alive(days, as_of)
    if recency > window:
        return "dormant"
    if 3 * tenure <= window:
        return "new"
    return "at risk" if alive < 0.5 else "needs attention" if alive < 0.8 else "active"


def customers_as_of(orders: oracle.Orders, as_of: date, window: int) -> dict[str, Customer]:
    """Everybody who has bought before the date."""
    before = tuple(order for order in orders if order.day < as_of)
    segments, worth = oracle.segments_as_of(before, as_of, BY_SPEND), oracle.value_as_of(before, as_of)
    predicted = oracle.predicted_as_of(before, as_of)
    people = {
        name: Customer(
            name=name,
            segment=segments[name],
            lifecycle=lifecycle_of(days, as_of, window),
            recency=(as_of - days[-1]).days - 1,
            purchase_days=len(days),
            worth=worth[name],
            predicted=predicted[name],
        )
        for name, days in oracle.purchase_days(before).items()
    }
    for order in before:
        if order.customer in people and order.day >= as_of - YEAR:
            _add(people[order.customer], order)
    return people


def _add(customer: Customer, order: Order) -> None:
    if order.kind == "purchase":
        customer.gross += order.gross
        customer.sales += order.amount
        customer.coupons.append(order.coupon)
        customer.discounts += Decimal(order.discount) if order.coupon else 0
    elif order.kind == "refund":
        customer.refunded -= order.amount
        customer.refund_days.add(order.day)


def band(recency: int, window: int) -> str:
    """How long somebody is silent."""
    limits = {
        "third": window / 3,
        "two thirds": 2 * window / 3,
        "window": window,
        "two": 2 * window,
        "four": 4 * window,
    }
    return next((name for name, limit in limits.items() if recency <= limit), "longer")


def expected_opportunities(orders: oracle.Orders, settings: Settings) -> dict[Key, Row]:
    """Kind, segment and lifecycle -> customers, money and reason, as docs/kpis.md defines them."""
    window = settings.churn_window_days
    as_of = oracle.data_clock(orders, None)
    assert as_of is not None
    now = customers_as_of(orders, as_of, window)
    found: dict[Key, Row] = {}

    def groups(kind: str, chosen: Callable[[Customer], bool]) -> Iterable[tuple[Key, list[Customer]]]:
        by_cell: dict[Key, list[Customer]] = defaultdict(list)
        for customer in now.values():
            if chosen(customer):
                by_cell[kind, customer.segment, customer.lifecycle].append(customer)
        return by_cell.items()

    def note(kind: str, chosen: Callable[[Customer], bool], money: Callable[[Customer], Decimal]) -> None:
        for key, members in groups(kind, chosen):
            found[key] = _judged(members, [money(one) for one in members])

    refund_share, discount_share = shares_of_the_shop([order for order in orders if order.day >= as_of - YEAR])
    note("keep", lambda c: c.lifecycle == "at risk", lambda c: c.predicted)
    note(
        "needless_coupons",
        lambda c: c.lifecycle in ("new", "active") and 0 < c.with_coupon < c.without_coupon,
        lambda c: c.discounts,
    )
    note(
        "coupon_dependence",
        lambda c: c.lifecycle in ("new", "active") and c.with_coupon >= max(3, c.without_coupon),
        lambda c: _cents(c.discounts - discount_share * c.gross),
    )
    note(
        "returns",
        lambda c: c.lifecycle != "dormant" and len(c.refund_days) >= 3 and c.given_back > 3 * refund_share * c.sales,
        lambda c: _cents(c.given_back - refund_share * c.sales),
    )
    opening = _reference(orders, settings, as_of)
    then = customers_as_of(orders, opening, window) if opening else {}
    for kind, chosen in (
        ("win_back", lambda c: c.recency > window),
        ("second_purchase", lambda c: c.purchase_days == 1 and c.recency <= window),
    ):
        before = [c for c in then.values() if chosen(c)]
        for key, members in groups(kind, lambda c: chosen(c) and c.lifecycle != "at risk"):  # noqa: B023
            found[key] = _by_history(members, before, now, window, has_opening=opening is not None)
    return found


def _reference(orders: oracle.Orders, settings: Settings, as_of: date) -> date | None:
    opens = [period.opens for period in oracle.periods(orders, None, settings.kpi_period)]
    return max((day for day in opens if (as_of - day).days >= settings.churn_window_days), default=None)


def _by_history(
    members: list[Customer], before: list[Customer], now: dict[str, Customer], window: int, *, has_opening: bool
) -> Row:
    people, money, expected, most, doubt = 0, 0.0, 0.0, 0.0, 0.0
    for silence in {band(c.recency, window) for c in members}:
        mine = sum(band(c.recency, window) == silence for c in members)
        like = [c for c in before if band(c.recency, window) == silence and c.segment == members[0].segment]
        if len(like) >= ENOUGH:
            brought = [float(now[c.name].worth - c.worth) for c in like]
            people += mine
            money += mine * sum(brought) / len(like)
            expected += mine * sum(now[c.name].purchase_days > c.purchase_days for c in like) / len(like)
            most = max(most, mine * max(brought) / len(like))
            doubt += mine * mine / len(like)
    reason = (
        "few_customers"
        if len(members) < ENOUGH
        else "short_history"
        if not has_opening
        else "nobody_like_them"
        if people < ENOUGH
        else _too_little(money, most)
    )
    row: Row = {"customers": people, "money": money, "reason": reason, "expected": expected}
    if people:
        row["fewest"], row["most"] = (people * end for end in wilson(expected / people, people * people / doubt))
    return row


def wilson(rate: float, told_by: float) -> tuple[float, float]:
    """Both ends of the interval of 95 % around a rate among so many."""
    middle, size = (rate + 1.96**2 / (2 * told_by)), 1 + 1.96**2 / told_by
    spread = 1.96 * math.sqrt(rate * (1 - rate) / told_by + 1.96**2 / (4 * told_by * told_by))
    return max(0.0, (middle - spread) / size), min(1.0, (middle + spread) / size)


def _judged(members: Sequence[Customer], amounts: Sequence[Decimal]) -> Row:
    money = float(sum(amounts))
    reason = "few_customers" if len(members) < ENOUGH else _too_little(money, float(max(amounts)))
    return {"customers": len(members), "money": money, "reason": reason}


def _too_little(money: float, most: float) -> str | None:
    return "nothing" if money <= 0 else "one_customer" if 2 * most > money else None


def shares_of_the_shop(orders: Sequence[Order]) -> tuple[Decimal, Decimal]:
    """Refunds over sales, and discounts with coupons over sales before discounts."""
    bought = [order for order in orders if order.kind == "purchase"]
    refunded = -oracle.total(order for order in orders if order.kind == "refund")
    discounts = sum((Decimal(order.discount) for order in bought if order.coupon), Decimal(0))
    gross = sum((order.gross for order in bought), Decimal(0))
    return _share(refunded, oracle.total(bought)), _share(discounts, gross)


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return (part / whole).quantize(Decimal("0.000001"), ROUND_HALF_UP) if whole else Decimal(0)


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def section(warehouse: Warehouse, settings: Settings, name: str) -> list[Row]:
    """The rows of a section of the report, of a warehouse that has nothing but what it needs."""
    parameters: dict[str, Parameter] = {"churn_window_days": settings.churn_window_days}
    with warehouse.reading() as connection:
        run_steps(connection, files_before(f"report/{name}"), parameters)
        columns, rows = rows_of(connection, read_sql(f"report/{name}"), parameters)
    return [dict(zip(columns, row, strict=True)) for row in rows]
