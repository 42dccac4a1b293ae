"""The automatic number of segments: stable, none too small, then the gap statistic."""

from dataclasses import replace

import numpy as np
import pytest

from bridgecart_assets.models.choice_of_k import FALLBACK, Candidate, choose_segments, pick


def blobs(centers: int, *, rows: int = 1_500, seed: int = 0) -> np.ndarray:
    """Clearly separated groups of equal size in three dimensions."""
    rng = np.random.default_rng(seed)
    places = np.array([[4.0 * (c % 2), 4.0 * (c // 2 % 2), 4.0 * (c // 4)] for c in range(centers)])
    return places[np.arange(rows) % centers] + rng.normal(0, 0.4, (rows, 3))


@pytest.mark.parametrize("groups", [3, 4, 5])
def test_clearly_separated_groups_are_found(groups):
    assert choose_segments(blobs(groups), seed=42) == groups


def test_the_same_rows_and_seed_give_the_same_number():
    rows = np.random.default_rng(1).normal(size=(400, 3))
    assert choose_segments(rows, seed=7) == choose_segments(rows, seed=7)


def candidates(*gaps: float) -> list[Candidate]:
    return [
        Candidate(segments=3 + place, stability=0.99, smallest_share=0.2, gap=gap, gap_error=0.01)
        for place, gap in enumerate(gaps)
    ]


def test_the_smallest_k_within_one_standard_error_of_the_next_is_taken():
    assert pick(candidates(0.80, 0.895, 0.90, 0.95)) == 4


def test_an_unstable_k_is_passed_over():
    first, *rest = candidates(0.90, 0.90, 0.80)
    assert pick([replace(first, stability=0.89), *rest]) == 4


def test_a_k_with_a_tiny_segment_is_passed_over():
    first, *rest = candidates(0.90, 0.90, 0.80)
    assert pick([replace(first, smallest_share=0.029), *rest]) == 4


def test_gaps_that_only_rise_give_the_largest_usable_one():
    assert pick(candidates(0.1, 0.3, 0.5, 0.7)) == 5


def test_without_a_usable_k_the_default_is_taken():
    assert pick([replace(candidate, stability=0.5) for candidate in candidates(0.1, 0.2, 0.3)]) == FALLBACK
