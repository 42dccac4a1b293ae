"""The expressions of a mapping, vetted one after the other, and what they read of a record together."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb

from bridgecart_assets.sources.mapping.decoding.shapes import Shape
from bridgecart_assets.sources.mapping.errors import MappingError, Refused
from bridgecart_assets.sources.mapping.expressions import ROOTS, Expression, vetted
from bridgecart_assets.sources.mapping.places import Place, Use


@dataclass(frozen=True)
class Compiled:
    """The expressions of a mapping, and what they read: the shapes of value and key, the names of headers.

    A shape is None where nothing of it is read.
    """

    name: str
    fields: Mapping[str, Expression]
    where: Expression | None
    value: Shape | None
    key: Shape | None
    headers: tuple[str, ...]


def compiled(connection: duckdb.DuckDBPyConnection, name: str, order: Mapping[str, str], where: str | None) -> Compiled:
    """The expressions of the mapping of a name. Raises MappingError with the place of what is not allowed."""
    roots = {root: Place(root) for root in ROOTS}
    asked = None if where is None else _vetted(connection, f"{name} [records] where", where, roots)
    fields = {field: _vetted(connection, f"{name} [order] {field}", text, roots) for field, text in order.items()}
    shapes = {root: None if place.use is None else place.shape() for root, place in roots.items()}
    return Compiled(name, fields, asked, shapes["value"], shapes["key"], tuple(roots["headers"].parts))


_USES: Mapping[str, Collection[Use | None]] = {
    "value": (Use.PARTS,),
    "key": (Use.PARTS, Use.WHOLE),
    "headers": (Use.PARTS,),
    "timestamp": (Use.WHOLE, None),
}
_EXAMPLES = {"value": "value.order_id", "key": "key.id", "headers": "headers['type']", "timestamp": "timestamp"}


def _vetted(connection: duckdb.DuckDBPyConnection, place: str, text: str, roots: Mapping[str, Place]) -> Expression:
    try:
        expression = vetted(connection, text, roots)
        for root in expression.roots:
            if roots[root].use not in _USES[root]:
                raise Refused(f"{root} is read in another way than it can be; for example {_EXAMPLES[root]}")
    except Refused as refused:
        raise MappingError(f"{place}: {refused}") from None
    return expression
