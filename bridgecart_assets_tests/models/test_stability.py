"""Stability of a clustering under resampling."""

import numpy as np
import pytest

from bridgecart_assets.models.stability import cluster, evenly_spaced, stability_of
from bridgecart_assets_tests.models.test_choice_of_k import blobs


def stability(rows: np.ndarray, segments: int) -> float:
    """Stability of the clustering of these rows."""
    return stability_of(rows, cluster(rows, rows, segments, 7)[0], segments=segments, seed=7)


def test_groups_that_are_there_come_back_in_every_sample():
    assert stability(blobs(4), 4) > 0.99


def test_segments_cut_out_of_one_cloud_do_not():
    assert stability(np.random.default_rng(3).normal(size=(1_500, 3)), 6) < 0.8


def test_labels_that_have_nothing_to_do_with_the_rows_are_not_stable():
    labels = np.random.default_rng(4).integers(0, 4, 1_500)
    assert stability_of(blobs(4), labels, segments=4, seed=7) == pytest.approx(0, abs=0.02)


def test_a_sample_with_fewer_different_rows_than_segments_is_unstable_and_no_warning():
    rows = np.repeat([[0.0, 0, 0], [5, 0, 0], [0, 5, 0]], [48, 1, 1], axis=0)
    assert 0 <= stability(rows, 3) < 1


@pytest.mark.parametrize(("rows", "positions"), [(3, [0, 1, 2]), (9, [0, 2, 5, 8]), (1, [0])])
def test_evenly_spaced_rows_reach_from_the_first_to_the_last(rows: int, positions: list[int]):
    assert list(evenly_spaced(rows, 4)) == positions
