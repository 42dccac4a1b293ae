"""Masked examples of rejected records: where each stands, and the shape of what made it one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridgecart_assets.commands.inspect.paths import ITEM, Path, Steps, expression, is_named, paths_of
from bridgecart_assets.commands.inspect.schemas import read_forms
from bridgecart_assets.contracts.event import EVENT
from bridgecart_assets.sources.mapping.decoding.schemas import NO_SCHEMAS, Schemas

_MOST_PATHS = 4
_FIELDS = {code: one.name for one in EVENT for code in one.reasons}
_OF_A_FIELD = re.compile(r"(?:missing|bad|out_of_range)_(\w+)")


@dataclass(frozen=True)
class Examples:
    """Makes examples: `fields` has the expressions of a mapping, `schemas` those of records that name one."""

    fields: Mapping[str, str]
    max_bytes: int
    schemas: Schemas = NO_SCHEMAS

    def of(self, reason: str, record: Mapping[str, Any]) -> str:
        """The record's place, and what it says where the field of the reason is read from, masked."""
        where = f"partition {record['partition']}, offset {record['offset']}"
        (form,) = read_forms([record["payload"]], self.max_bytes, lambda _: self.schemas).forms
        if form.document is None:
            return f"{where}: {form.name}"
        said = [f"{path.name} = {path.example}" for path in self._paths(reason, form.document)]
        return f"{where}: {', '.join(said[:_MOST_PATHS]) or 'nothing there'}"

    def _paths(self, reason: str, document: Mapping[str, object]) -> Iterator[Path]:
        """The paths that say something and from which the reason's field is read."""
        sql = self.fields.get(_field_of(reason), "")
        for path in paths_of([{"value": document}]):
            if path.masks and _is_read(path.steps, sql):
                yield path


def _is_read(steps: Steps, sql: str) -> bool:
    """True if the SQL names the path, or an object that it is in; of a list also the field of an item."""
    if ITEM in steps:
        place = steps.index(ITEM)
        of_item = steps[place + 1 :]
        return _is_read(steps[:place], sql) and (not of_item or is_named(f".{of_item[-1]}", sql))
    return any(is_named(expression(steps[:length]), sql) for length in range(2, len(steps) + 1))


def _field_of(reason: str) -> str:
    """The field that the reason code is about."""
    found = _OF_A_FIELD.fullmatch(reason)
    return _FIELDS.get(reason) or (found[1] if found else "")
