"""Where a fit ends: at the same segments whatever the seed, and never with fewer than it was asked for."""

import numpy as np
import pandas as pd
import pytest

from bridgecart_assets.contracts import TRAITS
from bridgecart_assets.models.fitting import Fit, fit_segments
from bridgecart_assets_tests.models.people import features


def test_the_seed_moves_nobody_even_where_segments_run_into_each_other():
    people = features(each=2_000, spread=1.0)
    first, *others = (fit_segments(people, segments=4, seed=seed) for seed in range(6))
    for other in others:
        assert other.inertia == first.inertia
        assert _centroids(other) == _centroids(first)


@pytest.mark.parametrize("gap", [1.0, 0.1, 0.01, 0.001])
def test_segments_that_lie_close_together_are_kept_apart(gap: float):
    places = [(0.0, 0.0, 0.0), (gap, 0.0, 0.0), (9.0, 9.0, 0.9), (4.0, -9.0, 0.1)]
    people = pd.DataFrame(np.repeat(places, 20, axis=0), columns=list(TRAITS))
    people["customer_id"] = [str(number) for number in range(len(people))]
    assert sorted(np.bincount(fit_segments(people, segments=4, seed=1).labels)) == [20, 20, 20, 20]


def _centroids(fit: Fit) -> list[tuple[float, ...]]:
    return sorted(tuple(centroid) for centroid in fit.centroids)
