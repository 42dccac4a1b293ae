"""The shapes of records that BridgeCart knows, told from a few of their fields."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bridgecart_assets.commands.inspect.paths import Document, Steps
from bridgecart_assets.contracts.event import EVENT
from bridgecart_assets.sources.mapping.mapping_file import text_of_preset

_OPERATIONS = frozenset("curdtm")


@dataclass(frozen=True)
class Shape:
    """A known shape of a record, and where in the record an order's fields stand.

    Without a preset the shape is BridgeCart's own event, which needs no mapping. What the preset says is of `root`.
    Of an order that was deleted the fields stand in `deleted`. `own` are lines of its orders in place of the preset's.
    """

    meaning: str
    preset: str | None
    order: Steps
    fits: Callable[[Mapping[str, object]], bool]
    root: str = "value"
    deleted: Steps = ()
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_preset(self) -> bool:
        """True if a mapping need only name the preset."""
        return self.preset is not None and self.root == "value"

    @property
    def filled_in(self) -> dict[str, str]:
        """The lines of an order that a mapping has as soon as it names the preset."""
        return self._of_preset("order") if self.is_preset else {}

    def said(self, table: str) -> dict[str, str]:
        """The lines of a table of a mapping for this shape."""
        return {**self._of_preset(table), **(self.own if table == "order" else {})}

    def _of_preset(self, table: str) -> dict[str, str]:
        if self.preset is None:
            return {}
        lines: Mapping[str, str] = tomllib.loads(text_of_preset(self.preset)).get(table, {})
        return {name: " ".join(line.replace("value.", f"{self.root}.").split()) for name, line in lines.items()}


def _is_own(value: Mapping[str, object]) -> bool:
    return {one.name for one in EVENT if one.required} <= value.keys()


def _is_debezium(value: Mapping[str, object]) -> bool:
    return value.get("op") in _OPERATIONS and {"before", "after", "source"} <= value.keys()


def _is_mongodb(value: Mapping[str, object]) -> bool:
    source = value.get("source")
    return _is_debezium(value) and isinstance(source, Mapping) and "ord" in source


def _is_wrapped_debezium(value: Mapping[str, object]) -> bool:
    payload = value.get("payload")
    return isinstance(payload, Mapping) and _is_debezium(payload)


def _is_shopify_order(value: Mapping[str, object]) -> bool:
    is_order = str(value.get("admin_graphql_api_id", "")).startswith("gid://shopify/Order/")
    return is_order or {"financial_status", "total_line_items_price", "line_items"} <= value.keys()


def _is_order_completed(value: Mapping[str, object]) -> bool:
    return value.get("type") == "track" and value.get("event") == "Order Completed" and "properties" in value


SHAPES = (
    Shape("BridgeCart's own event", None, ("value",), _is_own),
    Shape(
        "changes of a collection of MongoDB, as Debezium sends them",
        "debezium",
        ("value", "after"),
        _is_mongodb,
        deleted=("value", "before"),
        # Many changes have the same time; `ord` counts them.
        own={"version": "value.source.ts_ms::hugeint * 1000000 + value.source.ord::hugeint"},
    ),
    Shape(
        "changes of a table, as Debezium sends them",
        "debezium",
        ("value", "after"),
        _is_debezium,
        deleted=("value", "before"),
    ),
    Shape(
        "changes of a table, as Debezium sends them with their schema",
        "debezium",
        ("value", "payload", "after"),
        _is_wrapped_debezium,
        root="value.payload",
        deleted=("value", "payload", "before"),
    ),
    Shape("orders of Shopify's webhooks", "shopify-order", ("value",), _is_shopify_order),
    Shape("a tracking plan's Order Completed", "segment-order-completed", ("value", "properties"), _is_order_completed),
)


def shape_of(documents: Sequence[Document]) -> Shape | None:
    """The known shape that most of the documents have which have any; None where none has.

    BridgeCart's own event is the shape only where most documents have it: else it would seem to need no mapping.
    """
    values = [value for document in documents if isinstance(value := document.get("value"), Mapping)]
    counts = [(sum(map(shape.fits, values)), shape) for shape in SHAPES]
    likely = [
        (count, shape) for count, shape in counts if count > (0 if shape.preset is not None else len(values) // 2)
    ]
    return max(likely, key=lambda one: one[0])[1] if likely else None
