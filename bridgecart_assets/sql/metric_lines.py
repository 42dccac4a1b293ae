"""Lines of SQL per trait and per KPI: what a line of a file can name in braces, and its values in each record."""

from collections.abc import Mapping, Sequence

from bridgecart_assets.base.bounds import MOST_SEGMENTS
from bridgecart_assets.contracts import KPIS, SEGMENTATION_TRAITS, TRAITS, Kpi, Trait
from bridgecart_assets.sql.event_lines import Line


def _trait(trait: Trait) -> Line:
    return {
        "trait": trait.name,
        "formula": trait.formula,
        "own": trait.own,
        "reliability": trait.reliability,
        "short": trait.short,
    }


def _places() -> Sequence[Line]:
    """A place for each segment that a version of the model can have, by key."""
    return [
        {
            "place": str(place),
            "squared_distance": " + ".join(f"squared(z_{trait} - {trait}_{place})" for trait in TRAITS),
        }
        for place in range(1, MOST_SEGMENTS + 1)
    ]


def _traits_of_places() -> Sequence[Line]:
    return [{"trait_place": place["place"], "place_trait": trait} for place in _places() for trait in TRAITS]


def _kpi(kpi: Kpi) -> Line:
    names = [column.name for column in kpi.history_columns]
    kept = [f"{kpi.column}.{name}" for name in names]
    shown = [
        f"round({kpi.column}.{name}, 2) as {name}" if name == kpi.column and kpi.format == "money" else name_in_table
        for name, name_in_table in zip(names, kept, strict=True)
    ]
    beside = [
        f"round({kpi.column}.{one.column}, 2) as {one.column}"
        if one.format == "money"
        else f"{kpi.column}.{one.column}"
        for one in kpi.beside
    ]
    return {
        "kpi": kpi.column,
        "kept": ", ".join(kept),
        "kept_names": ", ".join(names),
        "shown": ", ".join([*shown, *(f"{kpi.column}.{name}" for name in kpi.shown), *beside]),
    }


def _ratios() -> Sequence[Line]:
    return [
        {
            "ratio": kpi.column,
            "numerator": kpi.total.numerator,
            "denominator": kpi.total.denominator,
            "no_total": kpi.total.reason,
        }
        for kpi in KPIS
        if kpi.total is not None
    ]


METRIC_LINES: Mapping[tuple[str, ...], Sequence[Line]] = {
    ("trait", "formula", "own", "reliability", "short"): [_trait(trait) for trait in SEGMENTATION_TRAITS],
    ("place", "squared_distance"): _places(),
    ("trait_place", "place_trait"): _traits_of_places(),
    ("kpi", "kept", "kept_names", "shown"): [_kpi(kpi) for kpi in KPIS],
    ("ratio", "numerator", "denominator", "no_total"): _ratios(),
}
"""The fields that a line can name together, and their values in each record."""
