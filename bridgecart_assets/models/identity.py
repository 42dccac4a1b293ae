"""Keys and names of the clusters of a fit. A key never changes its meaning and is never used again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENTATION_TRAITS, TRAITS, Trait
from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.fitting import LEFT_OUT_SCALE, Fit, nearest
from bridgecart_assets.models.model_table import model_arrays
from bridgecart_assets.models.telling_traits import FELT

MAX_SHIFT = 0.5
MIN_AGREEMENT = 0.90
EVERYBODY = "all customers"


@dataclass(frozen=True)
class Match:
    """Clusters of a fit matched with the segments of the previous version.

    `keys` per cluster; `matched_from` and `shifts` are None where a new key was opened; `agreement` is the share
    of customers that keep their key, None for the first version. `settled` is False when a person must decide.
    """

    keys: tuple[str, ...]
    matched_from: tuple[str | None, ...]
    shifts: tuple[float | None, ...]
    agreement: float | None
    settled: bool


def first_keys(fit: Fit, net_sales: Sequence[float]) -> Match:
    """Keys of the first version: S01, S02, ... by descending mean customer lifetime value."""
    value = pd.Series(np.asarray(net_sales, dtype=np.float64)).groupby(fit.labels).mean()
    ranked = value.reindex(range(len(fit.centroids))).fillna(-np.inf).sort_values(ascending=False, kind="stable")
    key_of = {cluster: _key(place) for place, cluster in enumerate(ranked.index, start=1)}
    clusters = range(len(fit.centroids))
    nothing = tuple(None for _ in clusters)
    return Match(tuple(key_of[c] for c in clusters), nothing, nothing, agreement=None, settled=True)


def match_keys(fit: Fit, earlier: pd.DataFrame, previous: pd.DataFrame, *, used_keys: Sequence[str]) -> Match:
    """Carry the keys of the previous version over to a refit.

    `earlier` are the customers of the fit, in its order, with the traits as the previous version sees them.
    Centroids are paired at minimum total distance in the previous scaler's space. A pair within MAX_SHIFT keeps
    its key; every other cluster gets a key that was never used. Settled when all clusters kept their keys and at
    least MIN_AGREEMENT of the customers did.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    mean, scale, old_centroids = model_arrays(previous)
    old_keys = list(previous["segment_key"])
    # The clusters as the previous version sees their customers: a trait that a new purchase model measures otherwise
    # is no segment that moved.
    old_traits = earlier[list(TRAITS)].to_numpy(dtype=np.float64)
    standardised = (old_traits - mean) / scale
    in_old_space = np.array([standardised[fit.labels == cluster].mean(axis=0) for cluster in range(len(fit.centroids))])
    distances = cdist(in_old_space, old_centroids)
    pairs = {int(new): int(old) for new, old in zip(*linear_sum_assignment(distances), strict=True)}
    kept = {new: old for new, old in pairs.items() if distances[new, old] < MAX_SHIFT}
    next_number = max(int(key[1:]) for key in used_keys) + 1
    keys: list[str] = []
    for cluster in range(len(fit.centroids)):
        if cluster in kept:
            keys.append(old_keys[kept[cluster]])
        else:
            keys.append(_key(next_number))
            next_number += 1
    old_labels = nearest(old_traits, mean, scale, old_centroids)
    agreement = float(np.mean([keys[new] == old_keys[old] for new, old in zip(fit.labels, old_labels, strict=True)]))
    return Match(
        keys=tuple(keys),
        matched_from=tuple(old_keys[kept[c]] if c in kept else None for c in range(len(keys))),
        shifts=tuple(round(float(distances[c, kept[c]]), 6) if c in kept else None for c in range(len(keys))),
        agreement=round(agreement, 6),
        settled=set(keys) == set(old_keys) and agreement >= MIN_AGREEMENT,
    )


def name_segments(fit: Fit) -> tuple[str, ...]:
    """Names of the clusters from their centroids: the words of their z-scores, and figures where words do not tell.

    A word needs a difference that a shop would feel, too: on nearly constant prices nobody is high-ticket. Names that
    are equal with their figures are numbered by value, highest first.
    """
    if len(fit.centroids) == 1:
        return (EVERYBODY,)
    words = [_words(fit, centroid) for centroid in fit.centroids]
    told = Counter(words)
    names = [
        _name(fit, centroid, own, is_telling=any(own) and told[own] == 1)
        for centroid, own in zip(fit.centroids, words, strict=True)
    ]
    return _numbered(fit, names)


def _numbered(fit: Fit, names: Sequence[str]) -> tuple[str, ...]:
    worth = fit.centroids[:, TRAITS.index("log_purchase_rate")] + fit.centroids[:, TRAITS.index("log_spend")]
    by_value = sorted(range(len(names)), key=lambda cluster: (-worth[cluster], cluster))
    numbered = list(names)
    for name in set(names):
        same = [cluster for cluster in by_value if names[cluster] == name]
        if len(same) > 1:
            for place, cluster in enumerate(same, start=1):
                numbered[cluster] = f"{name} ({place})"
    return tuple(numbered)


def _key(number: int) -> str:
    return f"S{number:02d}"


def _name(fit: Fit, centroid: Floats, words: tuple[str | None, ...], *, is_telling: bool) -> str:
    said = [word for word in words if word is not None]
    if not is_telling:
        said += list(_described(fit, centroid, words))[: max(1, 2 - len(said))]
    return ", ".join(said)


def _described(fit: Fit, centroid: Floats, words: tuple[str | None, ...]) -> Iterator[str]:
    """The segment's own figures, of traits that count and have no word."""
    for place, (trait, word) in enumerate(zip(SEGMENTATION_TRAITS, words, strict=True)):
        if word is None and trait.described is not None and fit.scale[place] < LEFT_OUT_SCALE:
            yield trait.described(trait.readable_value(centroid[place] * fit.scale[place] + fit.mean[place]))


def _words(fit: Fit, centroid: Floats) -> tuple[str | None, ...]:
    return tuple(_word(trait, fit, place, centroid[place]) for place, trait in enumerate(SEGMENTATION_TRAITS))


def _word(trait: Trait, fit: Fit, place: int, deviations: float) -> str | None:
    usual = trait.readable_value(fit.median[place])
    difference = trait.readable_value(deviations * fit.scale[place] + fit.mean[place]) - usual
    if abs(difference) < FELT * abs(usual):
        return None
    if trait.high is not None and deviations > trait.high.deviations:
        return trait.high.word
    if trait.low is not None and deviations < trait.low.deviations:
        return trait.low.word
    return None
