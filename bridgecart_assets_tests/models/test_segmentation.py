"""The segment model: fit, identity across refits, names, gates, and when a refit is due."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from bridgecart_assets.contracts import SEGMENT_MODEL, TRAITS
from bridgecart_assets.models.due import RefitMode, is_due
from bridgecart_assets.models.fitting import (
    LEFT_OUT_SCALE,
    Fit,
    different_customers,
    fit_segments,
    is_fittable,
    nearest,
)
from bridgecart_assets.models.identity import name_segments
from bridgecart_assets.models.model_table import active_version, model_arrays
from bridgecart_assets.models.refitting import RefitOutcome, Segments, refit
from bridgecart_assets_tests.models.people import GROUPS, KEY_OF, features, group_of, in_order, shuffled

NO_MODEL = pd.DataFrame(columns=list(SEGMENT_MODEL.column_names))
MOVED = {**GROUPS, "passers": (0.2, 6.0, 0.9)}


def test_traits_are_standardised_so_that_their_units_do_not_matter():
    people = in_order(features())
    fit = fit_segments(people, segments=4, seed=1)
    traits = people[list(TRAITS)].to_numpy()
    assert fit.mean == pytest.approx(traits.mean(axis=0), abs=1e-8)
    assert fit.scale == pytest.approx(traits.std(axis=0), abs=1e-8)
    in_cents = people.assign(log_spend=people["log_spend"] * 100, coupon_share=people["coupon_share"] * 1000)
    other = fit_segments(in_cents, segments=4, seed=1)
    assert _groups(people, fit.labels) == _groups(people, other.labels)


def test_first_keys_follow_the_mean_customer_value():
    model = _refit(NO_MODEL, features()).model
    assert _keys_by_group(model, features()) == KEY_OF
    assert set(model["status"]) == {"active"}


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 42])
def test_rows_in_any_order_and_any_seed_give_every_customer_the_same_key(seed: int):
    people = features()
    reference = _key_of_customer(_refit(NO_MODEL, people, seed=7).model, people)
    model = _refit(NO_MODEL, shuffled(people, seed), seed=seed).model
    assert _key_of_customer(model, people) == reference


def test_the_same_seed_gives_the_same_bytes_whatever_the_order_of_rows_and_the_number_of_threads():
    people = features()
    reference = _refit(NO_MODEL, people).model
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            model = _refit(NO_MODEL, shuffled(people, threads)).model
        pd.testing.assert_frame_equal(model, reference, check_exact=True)


def test_the_model_is_a_table_of_plain_values():
    model = _refit(NO_MODEL, features()).model
    assert tuple(model.columns) == SEGMENT_MODEL.column_names
    kinds = {type(value) for column in model for value in model[column]}
    assert kinds <= {int, float, str, list, date, type(None), pd.Timestamp}


def test_another_seed_on_the_same_customers_is_a_new_version_with_the_same_keys():
    people = features()
    first = _refit(NO_MODEL, people, seed=1).model
    second = _refit(first, people, seed=2).model
    assert set(second["version"]) == {1, 2}
    assert set(second["status"]) == {"active"}
    assert _key_of_customer(active_version(second), people) == _key_of_customer(first, people)


def test_a_refit_on_slightly_more_data_keeps_every_key():
    people = features()
    more = pd.concat([people, features(each=6, seed=2, first=1_000)], ignore_index=True)
    outcome = _refit(_refit(NO_MODEL, people).model, more)
    newest = active_version(outcome.model)
    assert set(newest["version"]) == {2}
    assert list(newest["matched_from"]) == list(newest["segment_key"]) == ["S01", "S02", "S03", "S04"]
    assert max(newest["centroid_shift"]) < 0.1
    assert set(newest["agreement"]) == {1.0}
    assert _keys_by_group(newest, more) == KEY_OF


def test_labels_are_compared_with_the_traits_that_each_version_sees():
    people = features()
    # A new purchase model measures otherwise: every trait is the old one plus something, and so is every centroid.
    shift = {"log_purchase_rate": 3.0, "log_spend": -2.0}
    moved = people.assign(**{trait: people[trait] + by for trait, by in shift.items()})
    model = _refit(NO_MODEL, people).model
    asked: list[int] = []

    def traits_under(version: int) -> pd.DataFrame:
        asked.append(version)
        return {1: people, 2: moved}[version]

    outcome = refit(model, traits_under, 2, mode=RefitMode.NOW, segments=4, seed=42, refit_days=90)
    newest = active_version(outcome.model)
    assert asked == [2, 1]
    assert set(newest["purchase_version"]) == {2}
    assert set(newest["agreement"]) == {1.0}
    assert max(newest["centroid_shift"]) < 0.01
    assert _keys_by_group(newest, moved) == KEY_OF


def test_a_version_of_a_young_shop_gives_way_without_a_question_and_one_above_the_data_gate_does_not():
    model = _refit(NO_MODEL, features()).model
    moved = features(groups=MOVED, seed=3, as_of=date(2025, 6, 1))
    for provisional, status in (([1], "active"), ([2], "proposed"), ([], "proposed")):
        outcome = refit(
            model, lambda _: moved, 1, mode=RefitMode.NOW, segments=4, seed=42, refit_days=90, provisional=provisional
        )
        newest = outcome.model[outcome.model["version"] == 2]
        assert set(newest["status"]) == {status}
        assert "S04" not in set(newest["segment_key"]), "a key still means what it meant"
        assert ("proposed" in outcome.decision) is (status == "proposed")


def test_keys_follow_their_customers_even_when_the_order_of_values_turns_round():
    people = features()
    model = _refit(NO_MODEL, people).model
    turned = people.assign(net_sales=-people["net_sales"])
    newest = active_version(_refit(model, turned, seed=9).model)
    assert set(newest["version"]) == {2}
    assert _keys_by_group(newest, people) == KEY_OF


def test_a_changed_world_proposes_a_version_and_leaves_the_old_one_in_force():
    model = _refit(NO_MODEL, features()).model
    outcome = _refit(model, features(groups=MOVED, seed=3, as_of=date(2025, 6, 1)))
    proposed = outcome.model[outcome.model["version"] == 2]
    assert "proposed" in outcome.decision
    assert set(proposed["status"]) == {"proposed"}
    assert proposed["in_force_from"].isna().all()
    pd.testing.assert_frame_equal(active_version(outcome.model), model, check_dtype=False)


def test_a_segment_that_changed_its_meaning_gets_a_key_that_was_never_used():
    model = _refit(NO_MODEL, features()).model
    outcome = _refit(model, features(groups=MOVED, seed=3, as_of=date(2025, 6, 1)))
    proposed = outcome.model[outcome.model["version"] == 2].set_index("segment_key")
    assert "S04" not in proposed.index
    (opened,) = set(proposed.index) - set(KEY_OF.values())
    assert opened == "S05"
    assert pd.isna(proposed.loc[opened, "matched_from"])
    assert pd.isna(proposed.loc[opened, "centroid_shift"])
    assert 0.7 < proposed["agreement"].iloc[0] < 0.8


def test_a_key_is_not_used_again_even_when_its_version_was_never_accepted():
    model = _refit(NO_MODEL, features()).model
    for round_ in (3, 4, 5):
        model = _refit(model, features(groups=MOVED, seed=round_, as_of=date(2025, 6, round_))).model
    opened = model[model["version"] > 1].groupby("version")["segment_key"].max()
    assert list(opened) == ["S05", "S06", "S07"]


def test_accepting_takes_the_proposed_version_into_force_from_the_data_date_on():
    model = _refit(NO_MODEL, features()).model
    moved = features(groups=MOVED, seed=3, as_of=date(2025, 6, 1))
    proposed = _refit(model, moved).model
    accepted = _refit(proposed, moved.assign(as_of=date(2025, 6, 20)), mode=RefitMode.ACCEPT)
    assert accepted.decision == "version 2 accepted"
    newest = active_version(accepted.model)
    assert set(newest["version"]) == {2}
    assert {pd.Timestamp(day).date() for day in newest["as_of"]} == {date(2025, 6, 1)}
    assert {pd.Timestamp(day).date() for day in newest["in_force_from"]} == {date(2025, 6, 20)}
    first = accepted.model[accepted.model["version"] == 1]
    assert {pd.Timestamp(day).date() for day in first["in_force_from"]} == {date(2025, 3, 1)}


def test_accepting_without_a_proposal_changes_nothing():
    assert _refit(NO_MODEL, features(), mode=RefitMode.ACCEPT).decision == "nothing to accept: no version is proposed"
    model = _refit(NO_MODEL, features()).model
    outcome = _refit(model, features(), mode=RefitMode.ACCEPT)
    assert outcome.model is model
    assert outcome.decision.startswith("nothing to accept")


def test_a_settled_refit_after_a_proposal_settles_the_matter():
    model = _refit(NO_MODEL, features()).model
    proposed = _refit(model, features(groups=MOVED, seed=3, as_of=date(2025, 6, 1))).model
    settled = _refit(proposed, features(seed=8, as_of=date(2025, 9, 1))).model
    assert set(active_version(settled)["version"]) == {3}
    assert _refit(settled, features(), mode=RefitMode.ACCEPT).decision.startswith("nothing to accept")


def test_the_same_data_asked_twice_makes_no_new_version():
    model = _refit(NO_MODEL, features()).model
    outcome = _refit(model, shuffled(features(), 5))
    assert outcome.model is model
    assert outcome.decision == "kept version 1: same data, same model"


def test_another_number_of_segments_is_proposed_because_keys_change():
    people = features(spread=1.0)
    model = _refit(NO_MODEL, people).model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        outcome = _refit(model, people, segments=5, mode=RefitMode.WHEN_DUE)
    assert set(outcome.model[outcome.model["version"] == 2]["status"]) == {"proposed"}
    assert "S05" in set(outcome.model["segment_key"])


def test_more_segments_asked_for_than_clear_kinds_changes_no_key():
    model = _refit(NO_MODEL, features()).model
    newest = active_version(_refit(model, features(), segments=5, mode=RefitMode.WHEN_DUE).model)
    assert set(newest["version"]) == {2}
    assert set(newest["fewer_because"]) == {"4 kinds of customers stand clearly apart"}
    assert list(newest["segment_key"]) == list(newest["matched_from"]) == ["S01", "S02", "S03", "S04"]


def test_a_refit_that_keeps_no_segment_at_all_opens_a_new_key_for_each():
    model = _refit(NO_MODEL, features()).model
    elsewhere = {name: (9 - a, b + 9, 0.9 - c) for name, (a, b, c) in GROUPS.items()}
    outcome = _refit(model, features(groups=elsewhere, as_of=date(2025, 6, 1)))
    opened = outcome.model[outcome.model["version"] == 2]
    assert list(opened["segment_key"]) == ["S05", "S06", "S07", "S08"]
    assert set(opened["agreement"]) == {0.0}
    assert opened["matched_from"].isna().all()


@pytest.mark.parametrize(
    ("each", "segments", "fittable"), [(10, 4, True), (9, 4, False), (0, 2, False), (10, 5, False)]
)
def test_the_data_gate_asks_for_ten_customers_per_segment(each: int, segments: int, fittable: bool):
    people = features(each=each) if each else features().iloc[:0]
    assert is_fittable(people, segments) is fittable
    outcome = _refit(NO_MODEL, people, segments=segments)
    assert outcome.model.empty is not fittable
    if not fittable:
        assert outcome.decision == f"kept: {len(people)} customers are too few for {segments} segments"


def test_more_segments_than_kinds_of_customers_are_as_many_as_there_are_and_it_says_why():
    people = features(each=20, spread=0.0)
    model = _refit(NO_MODEL, people, segments=5).model
    assert _keys_by_group(model, people) == KEY_OF
    assert set(model["fewer_because"]) == {"4 kinds of customers by the traits that count"}
    with pytest.raises(ValueError, match="4 different customers are too few for 5 segments"):
        fit_segments(people, segments=5, seed=1)
    again = _refit(model, people.assign(as_of=date(2025, 3, 2)), segments=5, mode=RefitMode.WHEN_DUE)
    assert again.decision == "kept version 1: a refit is not due", "what was asked for counts, not what there is"


def test_as_many_segments_as_different_customers_give_each_its_own():
    people = features(each=20, spread=0.0)
    assert _keys_by_group(_refit(NO_MODEL, people).model, people) == KEY_OF


def test_differences_that_only_floating_point_sees_do_not_count_as_different_customers():
    people = features(each=20, spread=0.0)
    people["log_purchase_rate"] += np.linspace(0, 1e-13, len(people))
    assert different_customers(people) == 4


def test_a_trait_that_is_the_same_for_everyone_decides_nothing():
    people = features().assign(coupon_share=0.25)
    fit = fit_segments(people, segments=3, seed=1)
    assert fit.scale[TRAITS.index("coupon_share")] == 1.0
    assert np.all(fit.centroids[:, TRAITS.index("coupon_share")] == 0.0)


def test_a_trait_that_differs_by_rounding_only_is_not_blown_up():
    people = in_order(features())
    people["coupon_share"] = 0.25 + np.linspace(0, 1e-10, len(people))
    fit = fit_segments(people, segments=4, seed=1)
    assert np.all(fit.scale > 0)
    assert np.all(np.isfinite(fit.centroids))
    traits = people[list(TRAITS)].to_numpy()
    assert list(nearest(traits, fit.mean, fit.scale, fit.centroids)) == list(fit.labels)


def test_segment_sizes_add_up_to_the_customers_of_the_fit():
    model = _refit(NO_MODEL, features()).model
    assert list(model["segment_customers"]) == [60, 60, 60, 60]
    assert set(model["fitted_customers"]) == {240}
    assert (model["silhouette"] > 0.8).all()


@pytest.mark.parametrize(
    ("z_scores", "name"),
    [
        ((0.51, 0.0, 0.0), "frequent"),
        ((0.50, 0.75, 0.75), "every 4.2 days, 2.1 a time"),
        ((-0.51, 0.0, 0.0), "rare"),
        ((-0.50, -0.50, 0.0), "every 12 days, 0.61 a time"),
        ((0.0, 0.76, 0.0), "high-ticket"),
        ((0.0, -0.51, 0.0), "low-ticket"),
        ((0.0, 0.0, 0.76), "coupon-driven"),
        ((1.0, 1.0, 1.0), "frequent, high-ticket, coupon-driven"),
        ((-1.0, -1.0, -1.0), "rare, low-ticket"),
    ],
)
def test_names_come_from_the_z_scores_of_the_centroid(z_scores: tuple[float, ...], name: str):
    assert name_segments(_fit_with([z_scores, (-1.0, 1.0, 1.0)])) == (name, "rare, high-ticket, coupon-driven")


def test_segments_of_the_same_words_are_told_apart_by_their_figures_and_then_numbered_by_value():
    centroids = [(1.0, -0.4, 0.0), (0.6, 0.7, 0.0), (0.9, 0.1, 0.0), (0.0, 0.0, 0.0)]
    assert name_segments(_fit_with(centroids)) == (
        *("frequent, 0.67 a time", "frequent, 2 a time", "frequent, 1.1 a time", "every 7 days, 1 a time"),
    )
    alike = [(0.6, 0.1, 0.0), (0.9, 0.1, 0.0), (-1.0, 1.0, 0.0)]
    assert name_segments(_fit_with(alike)) == (
        "frequent, 1.1 a time (2)",
        "frequent, 1.1 a time (1)",
        "rare, high-ticket",
    )


@pytest.mark.parametrize(
    ("days", "spend", "name"),
    [
        (12.4, 2_949.0, "every 12 days, 2900 a time"),
        (1.04, 9_960.0, "every day, 10k a time"),
        (1.5, 22_138.0, "every 1.5 days, 22k a time"),
        (123.0, 1_240_000.0, "every 120 days, 1.2M a time"),
        (7.0, 3.4e9, "every 7 days, 3.4bn a time"),
        (7.0, 0.0341, "every 7 days, 0.034 a time"),
    ],
)
def test_a_name_of_figures_has_two_digits_of_each_and_no_separator_that_means_another_thing_elsewhere(
    days: float, spend: float, name: str
):
    fit = _fit_with([(0.0, 0.0, 0.0), (3.0, 3.0, 3.0)])
    mean = np.array([math.log(7 / days), math.log(spend), 0.1])
    assert name_segments(replace(fit, mean=mean, median=mean))[0] == name


def test_a_trait_that_does_not_count_is_not_in_a_name():
    fit = _fit_with([(0.0, 0.0, 0.0), (0.0, 0.0, 1.0)])
    assert name_segments(replace(fit, scale=np.array([LEFT_OUT_SCALE, 1.0, 1.0]))) == (
        *("1 a time, 0 % with coupon", "coupon-driven"),
    )


def test_a_refit_is_due_when_there_is_no_model():
    assert is_due(NO_MODEL, 240, date(2025, 3, 1), refit_days=90)


@pytest.mark.parametrize(("days", "due"), [(0, False), (89, False), (90, True), (400, True), (-30, False)])
def test_a_refit_is_due_so_many_days_of_data_after_the_last_fit(days: int, due: bool):
    model = _refit(NO_MODEL, features()).model
    as_of = date(2025, 3, 1) + timedelta(days=days)
    assert is_due(model, 240, as_of, refit_days=90) is due


@pytest.mark.parametrize(("each", "due"), [(60, False), (119, False), (120, True)])
def test_a_refit_is_due_at_twice_the_customers_of_the_last_fit(each: int, due: bool):
    model = _refit(NO_MODEL, features()).model
    assert is_due(model, 4 * each, date(2025, 3, 1), refit_days=90) is due


def test_a_refit_that_is_not_due_keeps_the_model_as_it_is():
    model = _refit(NO_MODEL, features()).model
    outcome = _refit(model, features(each=61), mode=RefitMode.WHEN_DUE)
    assert outcome.model is model
    assert outcome.decision == "kept version 1: a refit is not due"


def test_a_version_that_waits_for_a_person_is_not_proposed_again_with_every_batch():
    model = _refit(NO_MODEL, features()).model
    proposed = _refit(model, features(groups=MOVED, as_of=date(2025, 6, 1))).model
    outcome = _refit(proposed, features(groups=MOVED, seed=4, as_of=date(2025, 6, 2)), mode=RefitMode.WHEN_DUE)
    assert outcome.decision == "kept version 2: a refit is not due"


def test_matching_does_not_depend_on_the_order_in_which_the_model_is_read():
    people = features()
    model = _refit(NO_MODEL, people).model
    more = pd.concat([people, features(each=6, seed=2, first=1_000)], ignore_index=True)
    expected = active_version(_refit(model, more).model)
    turned = active_version(_refit(shuffled(model, 3), more).model)
    pd.testing.assert_frame_equal(turned, expected, check_exact=True)


def _refit(
    model: pd.DataFrame,
    people: pd.DataFrame,
    *,
    mode: RefitMode = RefitMode.NOW,
    segments: Segments = 4,
    seed: int = 42,
) -> RefitOutcome:
    return refit(model, lambda _: people, 1, mode=mode, segments=segments, seed=seed, refit_days=90)


def _key_of_customer(model: pd.DataFrame, people: pd.DataFrame) -> dict[str, str]:
    mean, scale, centroids = model_arrays(model)
    keys = model["segment_key"].to_numpy()[nearest(people[list(TRAITS)].to_numpy(), mean, scale, centroids)]
    return dict(zip(people["customer_id"], keys, strict=True))


def _keys_by_group(model: pd.DataFrame, people: pd.DataFrame) -> dict[str, str]:
    """Group -> key; fails when a group has several."""
    found = {(group_of(customer), key) for customer, key in _key_of_customer(model, people).items()}
    assert len(found) == len(dict(found))
    return dict(found)


def _groups(people: pd.DataFrame, labels: Any) -> set[frozenset[str]]:
    return {frozenset(part) for _, part in people["customer_id"].groupby(labels)}


def _fit_with(centroids: Sequence[tuple[float, ...]]) -> Fit:
    ones = np.ones(len(TRAITS))
    return Fit(
        mean=0 * ones,
        scale=ones,
        median=0 * ones,
        centroids=np.array(centroids),
        labels=np.array([0]),
        inertia=0.0,
        silhouette=0.0,
        stability=1.0,
    )


def test_auto_finds_the_groups_that_are_there_and_is_not_due_because_of_k():
    outcome = _refit(NO_MODEL, features(), mode=RefitMode.WHEN_DUE, segments="auto")
    assert len(active_version(outcome.model)) == len(GROUPS)
    again = _refit(outcome.model, features(), mode=RefitMode.WHEN_DUE, segments="auto")
    assert again.decision == "kept version 1: a refit is not due"


def test_auto_with_few_customers_takes_the_default():
    few = features(each=12)
    assert len(few) < 90
    outcome = _refit(NO_MODEL, few, mode=RefitMode.WHEN_DUE, segments="auto")
    assert len(active_version(outcome.model)) == 4
