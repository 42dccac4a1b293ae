"""The season of a shop: found where there is one, and not where there is growth, ageing or chance."""

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgecart_assets.models.arrays import Labels
from bridgecart_assets.models.purchase_choice import SEASONAL, HeldOut, Lives, choose_model
from bridgecart_assets.models.season import Season, days_ahead, estimate_season
from bridgecart_assets_tests.support.examples import examples

# A shop of gifts: one month has three times what another has.
STRONG = Season((0.8, 0.7, 0.8, 0.9, 0.9, 0.9, 0.8, 0.8, 1.0, 1.1, 1.3, 2.000000))
EVEN = Season((1.0,) * 12)
START, AS_OF, WINDOW_DAYS = date(2024, 7, 1), date(2026, 1, 1), 60
seasons = st.lists(st.floats(0.1, 4), min_size=12, max_size=12).map(lambda factors: normalised(*factors))
days = st.dates(date(1996, 1, 1), date(2040, 12, 31))


def normalised(*factors: float) -> Season:
    found = np.array(factors)
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    return Season(tuple((found / (found @ lengths / 365)).tolist()))


def test_what_a_season_adds_to_purchases_of_customers_of_every_age_is_found_again():
    found = estimate_season(months(normalised(*STRONG.factors), customers=2_000, seed=1))
    assert found is not None
    assert found.factors == pytest.approx(normalised(*STRONG.factors).factors, rel=0.05)


def test_growth_better_customers_every_month_and_silence_with_age_are_no_season():
    table = months(EVEN, customers=500)
    grown = table.assign(
        customer_days=table["customer_days"] * 1.2 ** (table["cohort"] - table["cohort"].min()),
    )
    exact = grown["customer_days"] * 1.1 ** (grown["cohort"] - grown["cohort"].min()) * 0.95 ** grown["age"] / 20
    assert estimate_season(grown.assign(purchases=exact)) is None


def test_chance_is_no_season():
    found = [estimate_season(months(EVEN, customers=300, seed=seed)) for seed in range(40)]
    told = [season for season in found if season is not None]
    assert len(told) < 25
    assert max(np.abs(np.array(season.factors) - 1).max() for season in told) < 0.1


def test_in_a_history_of_less_than_a_year_nothing_tells_the_season_from_the_age_of_customers():
    table = months(normalised(*STRONG.factors), customers=2_000, seed=1)
    first = table["cohort"].min()
    assert estimate_season(table.loc[table["cohort"] + table["age"] < first + 12]) is None
    assert estimate_season(table.loc[table["cohort"] < first + 11]) is None, "one cohort grows old with the calendar"
    assert estimate_season(table.iloc[:0]) is None


def test_in_a_month_when_the_shop_is_closed_hardly_any_time_passes():
    closed = normalised(*(1.0 if month != 7 else 0.0 for month in range(12)))
    found = estimate_season(months(closed, customers=2_000, seed=2))
    assert found is not None
    assert found.factors[7] == pytest.approx(0.0, abs=0.01)
    table = months(EVEN, customers=10)
    assert estimate_season(table.assign(purchases=0 * table["purchases"])) is None, "nobody ever came back"


@given(season=seasons, start=days, first=st.integers(0, 400), then=st.integers(0, 400))
@examples(100)
def test_days_of_a_season_add_up_and_never_run_back(season: Season, start: date, first: int, then: int):
    whole, part = season.days_ahead(start, np.array([first + then, first], dtype=np.float64))
    rest = season.days_ahead(start + timedelta(days=first), np.array([float(then)]))[0]
    assert whole == pytest.approx(part + rest, abs=1e-6)
    assert rest >= -1e-9


@given(season=seasons, start=days)
@examples(50)
def test_a_year_of_a_season_has_as_many_days_as_the_calendars(season: Season, start: date):
    later = start.replace(year=start.year + 1, day=min(start.day, 28))
    start = start.replace(day=min(start.day, 28))
    year = float((later - start).days)
    assert season.days_ahead(start, np.array([year]))[0] == pytest.approx(year, abs=1e-3)


def test_days_back_are_whole_and_those_of_the_calendar_where_the_season_is_even():
    ago = np.arange(0.0, 800.0)
    assert EVEN.days_back(AS_OF, ago).tolist() == ago.tolist()
    back = normalised(*STRONG.factors).days_back(AS_OF, ago)
    assert (back == np.round(back)).all()
    assert back[30] > 50, "the last month was a strong one"


def test_forecasts_look_ahead_from_their_own_date_and_version():
    people = pd.DataFrame(
        {
            "purchase_version": [1, 1, 2, 1],
            "forecast_from": pd.to_datetime(pd.Series(["2025-12-01", "2025-01-01", None, "2025-12-01"])),
            "season": [json.dumps(STRONG.factors), json.dumps(STRONG.factors), None, json.dumps(STRONG.factors)],
        }
    )
    ahead = days_ahead(people, np.array([10.0, 30.0]))
    assert ahead == pytest.approx(np.array([[20.0, 60.0], [8.0, 24.0], [10.0, 30.0], [20.0, 60.0]]))


@pytest.mark.parametrize(("season", "is_chosen"), [(normalised(*STRONG.factors), True), (EVEN, False)])
def test_a_shop_counts_in_days_of_its_season_where_those_foretell_the_window_held_out(season: Season, is_chosen: bool):
    lives, past = shop(season, customers=2_500, seed=3)
    choice = choose_model(lives, lambda: past, window_days=WINDOW_DAYS)
    assert (choice.candidate == SEASONAL, choice.season is not None) == (is_chosen, is_chosen)
    if choice.season is not None and choice.scores is not None:
        assert choice.season.factors == pytest.approx(season.factors, abs=0.25)
        assert abs(choice.scores[SEASONAL].error or 1) < 0.1


def test_without_months_that_tell_a_season_it_is_no_candidate():
    lives, past = shop(EVEN, customers=1_200, seed=4)
    without = replace(past, months=past.months.iloc[:0])
    scores = choose_model(lives, lambda: without, window_days=WINDOW_DAYS).scores
    assert scores is not None
    assert SEASONAL not in scores


def months(season: Season, *, customers: int, seed: int | None = None) -> pd.DataFrame:
    """Rows of `sample_season.sql` of a shop with so many new customers in each of 18 months; without a seed, exact."""
    rows = pd.DataFrame(
        [(cohort, at - cohort, at % 12 + 1) for cohort in range(654, 672) for at in range(cohort + 1, 672)],
        columns=["cohort", "age", "month"],
    )
    customer_days = 30 * customers * np.ones(len(rows))
    expected = customer_days / 40 * 0.95 ** rows["age"] * np.array(season.factors)[rows["month"] - 1]
    purchases = expected if seed is None else np.random.default_rng(seed).poisson(expected)
    return rows.assign(customer_days=customer_days, purchases=purchases, is_held_out=False)


def shop(season: Season, *, customers: int, seed: int) -> tuple[Lives, HeldOut]:
    """A shop whose customers buy by the season: as it stands, and as it stood before the window."""
    rng = np.random.default_rng(seed)
    calendar = np.arange(0.0, (AS_OF - START).days + 1)
    seasonal = season.days_ahead(START, calendar)
    first = rng.uniform(0, seasonal[-90], customers)
    gaps = rng.exponential(1 / rng.gamma(2, 1 / 30, customers)[:, None], (customers, 60))
    repeats = rng.geometric(rng.beta(1, 9, customers)) - 1
    times = first[:, None] + np.cumsum(gaps, axis=1)
    is_made = (np.arange(60) < repeats[:, None]) & (times < seasonal[-1])
    who = np.concatenate([np.arange(customers), np.nonzero(is_made)[0]])
    on = np.floor(np.interp(np.concatenate([first, times[is_made]]), seasonal, calendar))
    bought = pd.DataFrame({"customer": who, "day": on}).drop_duplicates()
    end = float(calendar[-1])
    before = bought.loc[bought["day"] < end - WINDOW_DAYS]
    after = bought.loc[bought["day"] >= end - WINDOW_DAYS].groupby("customer").size()
    held_out = _people(before, end - WINDOW_DAYS).assign(purchases_after=lambda people: after.reindex(people.index))
    past = HeldOut.of(held_out.fillna(0), _months(bought, end), AS_OF, window_days=WINDOW_DAYS)
    people = _people(bought, end)
    lived, silent = (people[name].to_numpy(dtype=np.float64) for name in ("lived_days", "silent_days"))
    return Lives(people, lived, silent, AS_OF), past


def _people(bought: pd.DataFrame, end: float) -> pd.DataFrame:
    """Customers as the samples of a fit have them, who all spend the same and use no coupon."""
    by_customer = bought.groupby("customer")["day"]
    n = by_customer.size().astype(np.float64)
    return pd.DataFrame(
        {
            "frequency": n,
            "orders": n,
            "coupon_orders": 0,
            "log_spend_sum": 3 * n,
            "log_spend_square_sum": 9.1 * n,
            "lived_days": end - 1 - by_customer.min(),
            "silent_days": end - 1 - by_customer.max(),
        }
    )


def _months(bought: pd.DataFrame, end: float) -> pd.DataFrame:
    day = np.arange(0, int(end))
    month = _month(day)
    opening = _month(bought["day"].to_numpy(dtype=np.int64))
    cohort = pd.Series(opening).groupby(bought["customer"].to_numpy()).transform("min")
    is_late = bought["day"].to_numpy() >= end - WINDOW_DAYS
    counted = pd.DataFrame({"cohort": cohort, "at": opening, "is_held_out": is_late}).value_counts()
    sizes = bought.assign(cohort=cohort).groupby("cohort")["customer"].nunique()
    rows = []
    for start, customers in zip(sizes.index.to_numpy(dtype=np.int64).tolist(), sizes, strict=True):
        for at in range(start + 1, int(month[-1]) + 1):
            for is_held_out in (False, True):
                length = int(((month == at) & ((day >= end - WINDOW_DAYS) == is_held_out)).sum())
                purchases = counted.get((start, at, is_held_out), 0)
                rows.append((start, at - start, at % 12 + 1, is_held_out, customers * length, purchases))
    columns = ["cohort", "age", "month", "is_held_out", "customer_days", "purchases"]
    table = pd.DataFrame(rows, columns=columns)
    return table.loc[table["customer_days"] > 0]


def _month(day: Labels) -> Labels:
    return (np.datetime64(START) + day).astype("datetime64[M]").astype(np.int64)
