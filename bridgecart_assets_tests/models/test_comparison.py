"""Old and new segments side by side: what the person sees who asked for a refit or has to accept one."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bridgecart_assets.contracts import SEGMENT_MODEL
from bridgecart_assets.models.comparison import COLUMNS, compare_versions
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.model_table import accept_newest, newest_version
from bridgecart_assets.models.refitting import refit
from bridgecart_assets_tests.models.people import GROUPS, KEY_OF, features
from bridgecart_assets_tests.sql.history import model_row

NO_MODEL = pd.DataFrame(columns=list(SEGMENT_MODEL.column_names))
MOVED = {**GROUPS, "passers": (0.2, 6.0, 0.9)}


def test_centroids_are_told_in_purchases_a_week_in_currency_and_in_shares():
    model = model_row(
        key="S01",
        name="typical",
        centroid={"log_purchase_rate": 2.0, "log_spend": -1.0, "coupon_share": 0.5},
        scale={"log_purchase_rate": 0.5, "log_spend": 2.0, "coupon_share": 0.1},
        mean={"log_purchase_rate": np.log(0.25) - 1, "log_spend": np.log(80) + 2, "coupon_share": 0.2},
    )
    (row,) = compare_versions(model).to_dict("records")
    assert row["new_purchases_a_week"] == pytest.approx(0.25)
    assert row["new_spend"] == pytest.approx(80.0)
    assert row["new_coupon_share"] == pytest.approx(0.25)
    assert row["new_share"] == 0.1


def test_the_first_version_has_nothing_beside_it():
    table = compare_versions(_refit(NO_MODEL, features()))
    assert list(table["segment_key"]) == ["S01", "S02", "S03", "S04"]
    assert set(table["verdict"]) == {"new key"}
    assert table[[name for name in COLUMNS if name.startswith("old")]].isna().all(axis=None)


def test_a_settled_refit_shows_each_segment_then_and_now():
    model = _refit(NO_MODEL, features())
    model = _refit(model, pd.concat([features(), features(each=6, seed=2, first=1_000)], ignore_index=True))
    table = compare_versions(model)
    assert set(newest_version(model)["status"]) == {"active"}
    assert set(table["verdict"]) == {"kept"}
    assert (table["shift"] < 0.1).all()
    assert table["old_spend"].to_numpy() == pytest.approx(table["new_spend"].to_numpy(), rel=0.05)
    assert list(table["old_share"]) == list(table["new_share"]) == [0.25] * 4


def test_a_proposal_shows_what_would_go_and_what_would_come():
    model = _refit(_refit(NO_MODEL, features()), features(groups=MOVED, seed=3, as_of=date(2025, 6, 1)))
    rows: dict[str, Any] = {row["segment_key"]: row for row in compare_versions(model).to_dict("records")}
    gone, opened = rows.pop(KEY_OF["passers"]), rows.pop("S05")
    assert (gone["verdict"], opened["verdict"]) == ("gone", "new key")
    assert pd.isna(gone["new_name"])
    assert pd.isna(opened["old_name"])
    assert gone["old_spend"] == pytest.approx(np.exp(3.5), rel=0.02)
    assert opened["new_spend"] == pytest.approx(np.exp(6.0), rel=0.02)
    assert {row["verdict"] for row in rows.values()} == {"kept"}
    assert pd.isna(opened["shift"])
    assert pd.isna(gone["shift"])


def test_a_proposal_is_compared_with_the_version_in_force_and_not_with_the_proposal_before_it():
    model = _refit(NO_MODEL, features())
    for day in (1, 2):
        model = _refit(model, features(groups=MOVED, seed=day, as_of=date(2025, 6, day)))
    assert KEY_OF["passers"] in set(compare_versions(model).query("verdict == 'gone'")["segment_key"])
    assert "S05" not in set(compare_versions(model)["segment_key"])


def test_after_it_was_accepted_a_version_is_still_shown_beside_the_one_it_replaced():
    model = _refit(_refit(NO_MODEL, features()), features(groups=MOVED, seed=3, as_of=date(2025, 6, 1)))
    accepted = accept_newest(model, date(2025, 6, 2))
    pd.testing.assert_frame_equal(compare_versions(accepted), compare_versions(model))


def test_without_a_version_there_is_nothing_to_show():
    assert compare_versions(NO_MODEL).empty


def _refit(model: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    return refit(model, lambda _: people, 1, mode=RefitMode.NOW, segments=4, seed=42, refit_days=90).model
