"""Masked examples of rejected records: where each stands, and the shape of what made it one."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.inspect_forms import form_of
from bridgecart_assets.commands.inspect_paths import ITEM, Path, Steps, expression, paths_of
from bridgecart_assets.contracts.event import EVENT

_MOST_PATHS = 4
_FIELDS = {code: one.name for one in EVENT for code in one.reasons}
_OF_A_FIELD = re.compile(r"(?:missing|bad|out_of_range)_(\w+)")


def example(reason: str, record: Mapping[str, Any], settings: Settings, fields: Mapping[str, str]) -> str:
    """The record's place, and what it says where the field of the reason is read from, masked.

    `fields` has the expressions of the mapping.
    """
    where = f"partition {record['partition']}, offset {record['offset']}"
    form = form_of(record["payload"], settings.max_payload_bytes)
    if form.document is None:
        return f"{where}: {form.name}"
    said = [f"{path.name} = {path.example}" for path in _paths_of(reason, form.document, fields)]
    return f"{where}: {', '.join(said[:_MOST_PATHS]) or 'nothing there'}"


def _paths_of(reason: str, document: Mapping[str, object], fields: Mapping[str, str]) -> Iterator[Path]:
    """The paths that say something and from which the reason's field is read."""
    field = _field_of(reason)
    sql = fields.get(field, "") if fields else f"value.{field}"
    for path in paths_of([{"value": document}]):
        if path.masks and _is_read(path.steps, sql):
            yield path


def _is_read(steps: Steps, sql: str) -> bool:
    """True if the SQL names the path, or an object that it is in; of a list also the field of an item."""
    if ITEM in steps:
        place = steps.index(ITEM)
        of_item = steps[place + 1 :]
        return _is_read(steps[:place], sql) and (not of_item or _is_named(f".{of_item[-1]}", sql))
    return any(_is_named(expression(steps[:length]), sql) for length in range(2, len(steps) + 1))


def _is_named(path: str, sql: str) -> bool:
    return re.search(rf"{re.escape(path)}(?![\w.])", sql) is not None


def _field_of(reason: str) -> str:
    """The field that the reason code is about."""
    found = _OF_A_FIELD.fullmatch(reason)
    return _FIELDS.get(reason) or (found[1] if found else "")
