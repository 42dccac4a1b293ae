"""Drift: the population stability index, its bins and its threshold, and what a refit makes of an alert."""

import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import chi2

from bridgecart_assets.contracts import SEGMENT_DRIFT, SEGMENT_MODEL, TRAITS
from bridgecart_assets.models.drift import (
    LEAST_ALERT,
    SEGMENT_MIX,
    alert_threshold,
    count_bins,
    decile_bins,
    measure_drift,
    stability_index,
)
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.fitting import nearest
from bridgecart_assets.models.model_table import active_version, model_arrays, newest_version
from bridgecart_assets.models.refitting import RefitOutcome, refit
from bridgecart_assets_tests.models.people import GROUPS, features, shuffled

NO_MODEL = pd.DataFrame(columns=list(SEGMENT_MODEL.column_names))
FITTED_ON = date(2025, 3, 1)
LATER = FITTED_ON + timedelta(days=10)
# Everyone buys for twice as much: the same groups, elsewhere.
DEARER = {name: (a, b + np.log(2), c) for name, (a, b, c) in GROUPS.items()}
# Passers turned into users of coupons: another segment.
COUPONS = {**GROUPS, "passers": (0.2, 6.0, 0.9)}
COUNTS = arrays.arrays(np.int64, st.integers(2, 10), elements=st.integers(0, 1_000))


def psi_of(then: np.ndarray, now: np.ndarray) -> float:
    """PSI of two samples of a trait."""
    bins = decile_bins(then)
    return stability_index(bins.customers, count_bins(now, bins.bounds))


@given(counts=COUNTS)
def test_equal_samples_have_not_drifted(counts):
    assert stability_index(counts, counts) == 0


@given(counts=COUNTS, times=st.integers(2, 50))
def test_the_size_of_a_sample_alone_is_no_drift(counts, times):
    # Many customers, because each bin gets half a one on top.
    assert stability_index(counts * 10_000, counts * 10_000 * times) == pytest.approx(0, abs=0.01)


@given(data=st.data())
def test_the_index_is_symmetric_and_never_negative(data):
    bins = data.draw(st.integers(2, 10))
    one, other = (data.draw(arrays.arrays(np.int64, bins, elements=st.integers(0, 1_000))) for _ in range(2))
    assert stability_index(one, other) >= 0
    assert stability_index(one, other) == pytest.approx(stability_index(other, one))


def test_the_index_is_that_of_the_formula():
    # Shares of 1/2 and 1/2 then, 1/4 and 3/4 now: (-1/4) ln(1/2) + (1/4) ln(3/2).
    then, now = np.array([50_000_000, 50_000_000]), np.array([25_000_000, 75_000_000])
    assert stability_index(then, now) == pytest.approx(0.25 * np.log(3), rel=1e-6)


def test_the_index_grows_with_the_shift():
    values = np.random.default_rng(1).normal(size=5_000)
    found = [psi_of(values, values + shift) for shift in (0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)]
    assert found[0] == 0
    assert found == sorted(found)


@given(values=arrays.arrays(np.float64, st.integers(1, 200), elements=st.floats(-5, 5) | st.sampled_from((0.0, 1.0))))
def test_bins_hold_every_customer_and_are_ten_at_most(values):
    bins = decile_bins(values)
    assert bins.customers.sum() == len(values)
    assert len(bins.customers) == len(bins.bounds) + 1 <= 10
    assert (np.diff(bins.bounds) > 0).all()


def test_bins_of_values_that_all_differ_are_the_deciles():
    bins = decile_bins(np.random.default_rng(2).permutation(1_000) / 7)
    assert list(bins.customers) == [100] * 10


@pytest.mark.parametrize("now", [0.2, 0.3])
def test_customers_that_leave_a_value_shared_by_all_are_seen_in_both_directions(now: float):
    assert psi_of(np.full(500, 0.25), np.full(500, now)) > 1


def test_the_last_bits_of_a_shared_value_are_no_drift():
    shared = np.full(500, 0.6 / 4)
    assert psi_of(shared, np.nextafter(shared, 1)) == psi_of(shared, np.nextafter(shared, 0)) == 0


@pytest.mark.parametrize(("customers", "threshold"), [(100_000, 0.1), (600, 0.1), (100, 2 / 100 * 27.877)])
def test_the_threshold_is_a_tenth_or_what_chance_gives(customers: int, threshold: float):
    assert alert_threshold(customers, customers, 10) == pytest.approx(threshold, rel=1e-4)


def test_the_threshold_is_the_quantile_of_the_distribution_that_its_name_says():
    for bins in range(2, 61):
        assert alert_threshold(1, 1, bins) == pytest.approx(2 * chi2.ppf(0.999, bins - 1), rel=1e-13)


def test_no_run_waits_for_libraries_of_statistics_only_to_measure_drift():
    program = (
        "import sys; from bridgecart_assets.models import drift, refitting; drift.alert_threshold(300, 300, 10); "
        "print({'scipy', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(("then", "now", "bins"), [(250, 250, 10), (400, 150, 10), (250, 200, 4)])
def test_without_any_change_one_sample_in_a_thousand_is_above_what_chance_gives(then: int, now: int, bins: int):
    rng, samples = np.random.default_rng(5), 20_000
    threshold = alert_threshold(then, now, bins)
    assert threshold > LEAST_ALERT, "else there would be fewer"
    shares = np.full(bins, 1 / bins)
    pairs = zip(rng.multinomial(then, shares, samples), rng.multinomial(now, shares, samples), strict=True)
    alerts = sum(stability_index(one, other) > threshold for one, other in pairs)
    # 20 are expected.
    assert 8 <= alerts <= 36


def test_bins_from_the_deciles_of_the_sample_itself_give_no_more_false_alarms():
    rng, samples = np.random.default_rng(6), 5_000
    threshold = alert_threshold(300, 300, 10)
    alerts = sum(psi_of(rng.normal(size=300), rng.normal(size=300)) > threshold for _ in range(samples))
    assert alerts <= 14


@pytest.mark.parametrize("customers", [500, 2_000, 20_000])
@pytest.mark.parametrize("trait", range(len(TRAITS)))
def test_a_shift_of_half_a_deviation_alerts(customers: int, trait: int):
    people, model = _fitted(each=customers // len(GROUPS))
    moved = people.assign(as_of=LATER)
    moved[TRAITS[trait]] += people[TRAITS[trait]].std() / 2
    drift = _drift(model, moved)
    assert {TRAITS[trait]} <= _alerts(drift) <= {TRAITS[trait], SEGMENT_MIX}


def test_another_mix_of_the_same_segments_alerts():
    people, model = _fitted()
    fewer = people[~(people["customer_id"].str.endswith("spenders") & (people.index % 4 > 0))].assign(as_of=LATER)
    assert SEGMENT_MIX in _alerts(_drift(model, fewer))


def test_the_customers_of_the_fit_have_not_drifted_whatever_their_order():
    people, model = _fitted()
    drift = _drift(model, shuffled(people, 4).assign(as_of=LATER))
    assert list(drift["measure"]) == [*TRAITS, SEGMENT_MIX]
    assert set(drift["psi"]) == {0.0}
    assert not _alerts(drift)
    assert set(drift["customers"]) == set(drift["reference_customers"]) == {len(people)}


@pytest.mark.parametrize(("days", "alerts"), [(-30, False), (0, False), (1, True)])
def test_within_a_day_and_looking_back_nothing_has_drifted(days: int, alerts: bool):
    _, model = _fitted()
    moved = features(groups=DEARER, as_of=FITTED_ON + timedelta(days=days))
    drift = _drift(model, moved)
    assert (drift["psi"] > drift["threshold"]).any()
    assert bool(_alerts(drift)) is alerts


def test_without_customers_there_is_nothing_to_compare():
    _, model = _fitted()
    for version in (model, NO_MODEL):
        drift = measure_drift(version, features().iloc[:0])
        assert drift.empty
        assert tuple(drift.columns) == SEGMENT_DRIFT.column_names


def test_an_alert_makes_a_refit_due_that_says_why():
    people, model = _fitted()
    outcome = _when_due(model, features(groups=DEARER, as_of=LATER))
    assert "after drift in log_spend" in outcome.decision
    assert set(newest_version(outcome.model)["version"]) == {2}
    assert _alerts(outcome.drift) == {"log_spend"}
    assert _when_due(model, people.assign(as_of=LATER)).decision == "kept version 1: a refit is not due"


def test_an_alert_that_led_to_a_proposal_leads_to_no_other_fit():
    _, model = _fitted()
    model = _when_due(model, features(groups=COUPONS, as_of=LATER)).model
    assert set(newest_version(model)["status"]) == {"proposed"}
    for day in range(1, 6):
        now = features(groups=COUPONS, seed=day, as_of=LATER + timedelta(days=day))
        assert _alerts(_drift(active_version(model), now)), "the version in force has not been cured"
        outcome = _when_due(model, now)
        assert outcome.decision == "kept version 2: a refit is not due"
        assert set(outcome.drift["model_version"]) == {2}


def test_drift_from_a_proposal_makes_another_one():
    _, model = _fitted()
    model = _when_due(model, features(groups=COUPONS, as_of=LATER)).model
    again = _when_due(model, features(groups=DEARER, as_of=LATER + timedelta(days=1)))
    assert set(newest_version(again.model)["version"]) == {3}


def test_drift_is_measured_in_the_traits_of_the_purchase_model_of_the_fit():
    people, model = _fitted()
    # Under the purchase model of today every trait is another one, under that of the fit nothing moved.
    today = people.assign(as_of=LATER, log_spend=people["log_spend"] + 5)
    outcome = refit(
        model,
        lambda version: {1: people.assign(as_of=LATER), 2: today}[version],
        2,
        mode=RefitMode.WHEN_DUE,
        segments=4,
        seed=42,
        refit_days=90,
    )
    assert outcome.decision == "kept version 1: a refit is not due"


def _fitted(each: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers and the model fitted to them."""
    people = features(each=each, as_of=FITTED_ON)
    return people, _when_due(NO_MODEL, people).model


def _when_due(model: pd.DataFrame, people: pd.DataFrame) -> RefitOutcome:
    return refit(model, lambda _: people, 1, mode=RefitMode.WHEN_DUE, segments=4, seed=42, refit_days=90)


def _drift(model: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Drift of the customers from those of the model's only version."""
    keys = model["segment_key"].to_numpy()[nearest(people[list(TRAITS)].to_numpy(), *model_arrays(model))]
    return measure_drift(model, people.assign(model_version=model["version"].iloc[0], segment_key=keys))


def _alerts(drift: pd.DataFrame) -> set[str]:
    return set(drift.loc[drift["alert"], "measure"])
