"""The shop's calendar: whose day an order is of, and that every figure after silver is of these days."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.sql import read_sql
from bridgecart_assets.sql.chain import files_before
from bridgecart_assets.warehouse.storage.database import rows_of
from bridgecart_assets.warehouse.storage.tables import run_steps
from bridgecart_assets_tests.sql.history import (
    compute,
    records,
    spend_model,
    store_model,
    store_purchase_model,
    tiny_settings,
)
from bridgecart_assets_tests.sql.silver import BATCH, SilverWarehouse, judge_events
from bridgecart_assets_tests.support.examples import examples
from bridgecart_assets_tests.support.pipeline import run_silver
from bridgecart_assets_tests.support.records import Record, event, store_batch
from bridgecart_assets_tests.support.state import digests

KOLKATA, LOS_ANGELES, APIA = "Asia/Kolkata", "America/Los_Angeles", "Pacific/Apia"
# Clocks that change at midnight, by half an hour, or not at all; that are three quarters off; that left out a day.
ZONES = (*(KOLKATA, LOS_ANGELES, APIA), "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Chatham", "UTC")
# Hours east of UTC. The names have the sign of POSIX.
WITHOUT_DST = {KOLKATA: 5.5, "Etc/GMT+7": -7, "Etc/GMT-14": 14, "Etc/GMT+12": -12, "UTC": 0}


def at(text: str) -> datetime:
    """An instant as silver stores it: UTC, without saying so."""
    return datetime.fromisoformat(text)


def to_the_second(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def shop_of(payloads: Sequence[bytes], settings: Settings) -> SilverWarehouse:
    """A warehouse with these orders, and every table that depends on days."""
    warehouse = SilverWarehouse(naive_timezone=settings.naive_timezone)
    store_batch(warehouse, BATCH, [Record(payload) for payload in payloads])
    run_silver(warehouse, settings, BATCH)
    store_purchase_model(warehouse)
    store_model(warehouse, spend_model())
    compute(warehouse, settings)
    return warehouse


def in_calendar(zone: str, **changed: object) -> Settings:
    settings = tiny_settings()
    return Settings(**{**settings.model_dump(exclude={"naive_timezone"}), "calendar_timezone": zone, **changed})


def sales_by_period(warehouse: SilverWarehouse) -> Mapping[date, Decimal]:
    found = records(warehouse, "select period, sum(sales) as sales from kpi.sales_contribution group by all")
    return {row["period"]: row["sales"] for row in found}


def days_of(instants: Sequence[str], zone: str) -> list[date]:
    judged = judge_events(*({"purchase_date": instant} for instant in instants), calendar_timezone=zone)
    return [row["purchased_on"] for row in judged if isinstance(row, dict)]


def evenings_of_january(offset: str) -> list[bytes]:
    """A hundred orders of 100.00, all on 31 January between 17:10 and 23:10 by the clock of the shop."""
    return [
        event(
            order_id=f"E{n}",
            customer_id=f"C{n}",
            purchase_date=f"2025-01-31T{17 + n % 7}:10:00{offset}",
            purchase_amount=100,
        )
        for n in range(100)
    ]


@pytest.mark.parametrize("offset", ["-08:00", ""], ids=["with its zone", "without a zone"])
def test_the_sales_of_a_shop_in_los_angeles_are_of_its_own_january(offset: str) -> None:
    warehouse = shop_of(evenings_of_january(offset), in_calendar(LOS_ANGELES))
    assert sales_by_period(warehouse) == {date(2025, 1, 1): Decimal("10000.00")}
    assert records(warehouse, "select distinct as_of from gold.customer_features") == [{"as_of": date(2025, 2, 1)}]


def test_the_same_orders_are_mostly_of_february_in_the_calendar_of_utc() -> None:
    warehouse = shop_of(evenings_of_january("-08:00"), in_calendar("UTC"))
    # From 16:00 in Los Angeles it is the next day.
    assert sales_by_period(warehouse) == {date(2025, 2, 1): Decimal("10000.00")}


def test_live_orders_with_the_time_of_kolkata_and_no_zone_are_not_of_the_future() -> None:
    live = Record(event(purchase_date="2025-01-31T23:30:00"), datetime(2025, 1, 31, 18, 0, tzinfo=UTC))
    settings = Settings(calendar_timezone=KOLKATA)
    warehouse = SilverWarehouse(naive_timezone=settings.naive_timezone)
    store_batch(warehouse, BATCH, [live])
    run_silver(warehouse, settings, BATCH)
    assert records(warehouse, "select purchased_at, purchased_on from silver.orders") == [
        {"purchased_at": at("2025-01-31T18:00"), "purchased_on": date(2025, 1, 31)}
    ]


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        (KOLKATA, {"2025-01-31T18:29:59Z": (2025, 1, 31), "2025-01-31T18:30:00Z": (2025, 2, 1)}),
        # In March a day of Los Angeles has 23 hours, in November 25.
        (LOS_ANGELES, {"2025-03-09T07:59:59Z": (2025, 3, 8), "2025-03-09T08:00:00Z": (2025, 3, 9)}),
        (LOS_ANGELES, {"2025-03-10T06:59:59Z": (2025, 3, 9), "2025-03-10T07:00:00Z": (2025, 3, 10)}),
        (LOS_ANGELES, {"2025-11-02T07:00:00Z": (2025, 11, 2), "2025-11-03T07:59:59Z": (2025, 11, 2)}),
        # Samoa had no 30 December 2011.
        (APIA, {"2011-12-30T09:59:59Z": (2011, 12, 29), "2011-12-30T10:00:00Z": (2011, 12, 31)}),
    ],
)
def test_a_day_ends_at_midnight_of_the_calendar(zone: str, days: Mapping[str, tuple[int, int, int]]) -> None:
    assert days_of(list(days), zone) == [date(*day) for day in days.values()]


@examples(30)
@given(
    instants=st.lists(
        st.datetimes(at("1990-01-02"), at("2029-12-30")).map(to_the_second),
        min_size=1,
        max_size=20,
    ),
    zone=st.sampled_from(ZONES),
)
def test_the_day_of_an_order_is_that_of_the_time_zone_database(instants: list[datetime], zone: str) -> None:
    expected = [instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date() for instant in instants]
    assert days_of([f"{instant.isoformat()}Z" for instant in instants], zone) == expected


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2025-03-09T02:30:00", at("2025-03-09T10:30")),
        ("2025-11-02T01:30:00", at("2025-11-02T09:30")),
    ],
    ids=["skipped: as if the clock had not changed", "twice: the second one"],
)
def test_a_naive_time_that_a_change_of_the_clock_skips_or_repeats_is_of_the_day_that_it_says(
    written: str, instant: datetime
) -> None:
    (row,) = judge_events({"purchase_date": written}, calendar_timezone=LOS_ANGELES, naive_timezone=LOS_ANGELES)
    assert isinstance(row, dict)
    assert (row["purchased_at"], row["purchased_on"].isoformat()) == (instant, written[:10])


def test_days_between_two_purchases_are_counted_on_the_calendar() -> None:
    # 24 hours apart: neighbouring days in UTC, and in Samoa, which left one out, two days apart by their dates.
    instants = ("2011-12-29T12:00:00Z", "2011-12-30T12:00:00Z")
    payloads = [event(order_id=f"E{n}", purchase_date=instant) for n, instant in enumerate(instants)]
    between = "select mean_interpurchase_days as days, tenure_days as tenure from gold.customer_features"
    assert records(shop_of(payloads, in_calendar("UTC")), between) == [{"days": 1.0, "tenure": 1}]
    assert records(shop_of(payloads, in_calendar(APIA)), between) == [{"days": 2.0, "tenure": 2}]


def test_the_as_of_date_is_one_of_the_calendar() -> None:
    payloads = [
        event(order_id="before", purchase_date="2025-02-01T07:59:59Z"),
        event(order_id="after", purchase_date="2025-02-01T08:00:00Z"),
    ]
    warehouse = shop_of(payloads, in_calendar(LOS_ANGELES, as_of=date(2025, 2, 1)))
    assert records(warehouse, "select orders, recency_days from gold.customer_features") == [
        {"orders": 1, "recency_days": 0}
    ]
    for check in (
        "features_tie_to_orders",
        "clv_ties_to_orders",
        "order_values_tie_to_orders",
        "kpi_sales_tie_to_orders",
    ):
        with warehouse.reading() as connection:
            run_steps(connection, files_before(f"checks/{check}"), {})
            assert rows_of(connection, read_sql(f"checks/{check}"), {"as_of": "2025-02-01"})[1] == []


@examples(8)
@given(
    orders=st.lists(
        st.tuples(
            st.integers(1, 5),
            st.datetimes(at("2025-01-02"), at("2025-04-28")).map(to_the_second),
            st.integers(-50, 500),
        ),
        min_size=1,
        max_size=25,
    ),
    zone=st.sampled_from(sorted(WITHOUT_DST)),
    has_zone=st.booleans(),
)
def test_orders_by_the_shops_clock_give_the_tables_that_they_give_by_utc(
    orders: list[tuple[int, datetime, int]], zone: str, has_zone: bool
) -> None:
    def payloads(east: timedelta, mark: str) -> list[bytes]:
        return [
            event(
                order_id=f"E{n}",
                customer_id=f"C{customer}",
                purchase_date=(instant - east).isoformat() + mark,
                purchase_amount=amount,
            )
            for n, (customer, instant, amount) in enumerate(orders)
        ]

    def after_silver(warehouse: SilverWarehouse) -> Mapping[str, str]:
        return {name: digest for name, digest in digests(warehouse).items() if name.startswith(("gold.", "kpi."))}

    by_utc = shop_of(payloads(timedelta(), "Z"), in_calendar("UTC"))
    east = timedelta(hours=WITHOUT_DST[zone]) if has_zone else timedelta()
    by_clock = shop_of(payloads(east, "Z" if has_zone else ""), in_calendar(zone))
    assert after_silver(by_clock) == after_silver(by_utc)
    assert "kpi.churn_rate" in after_silver(by_utc)
