"""One SQL file per table, in DuckDB's dialect, with bound parameters (`$name`) only.

A line with a field in braces stands for one line per record: `{trait}` for each trait, `{kpi}` for each KPI. No other
SQL is made from anything, and `RECORDS` has all fields that there are.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from bridgecart_assets.contracts import KPIS, SEGMENTATION_TRAITS, Kpi, Trait

Fields = Mapping[str, str]

_FIELD = re.compile(r"\{([a-z_]+)\}")


@cache
def read_sql(name: str) -> str:
    """The text of `sql/<name>.sql`, with a line per KPI or trait where one stands for all of them."""
    text = files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return "".join(map(_per_record, text.splitlines(keepends=True)))


def _per_record(line: str) -> str:
    named = set(_FIELD.findall(line))
    for names, records in RECORDS.items():
        if named and named <= set(names):
            return "".join(line.format_map(record) for record in records)
    return line


def _trait(trait: Trait) -> Fields:
    return {"trait": trait.name, "formula": trait.formula, "short": trait.short}


def _kpi(kpi: Kpi) -> Fields:
    names = [column.name for column in kpi.history_columns]
    kept = [f"{kpi.column}.{name}" for name in names]
    shown = [
        f"round({kpi.column}.{name}, 2) as {name}" if name == kpi.column and kpi.format == "money" else name_in_table
        for name, name_in_table in zip(names, kept, strict=True)
    ]
    return {
        "kpi": kpi.column,
        "kept": ", ".join(kept),
        "kept_names": ", ".join(names),
        "shown": ", ".join([*shown, *(f"{kpi.column}.{name}" for name in kpi.shown)]),
    }


def _ratios() -> Sequence[Fields]:
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


RECORDS: Mapping[tuple[str, ...], Sequence[Fields]] = {
    ("trait", "formula", "short"): [_trait(trait) for trait in SEGMENTATION_TRAITS],
    ("kpi", "kept", "kept_names", "shown"): [_kpi(kpi) for kpi in KPIS],
    ("ratio", "numerator", "denominator", "no_total"): _ratios(),
}
"""The fields that a line can name together, and their values in each record."""
