"""Places in a record that expressions read, and the shape of it that follows from their use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Self

from bridgecart_assets.sources.mapping.decoding.shapes import WHOLE, Shape
from bridgecart_assets.sources.mapping.errors import Refused


class Use(Enum):
    """Ways of reading a place, in the words of an error."""

    WHOLE = "as a whole"
    PARTS = "in parts"
    LIST = "as a list"


@dataclass
class Place:
    """A place in a record, or a value that an expression makes of places; without use as long as nobody reads it."""

    path: str
    is_made: bool = False
    use: Use | None = None
    parts: dict[str, "Place"] = field(default_factory=dict)
    items: "Place | None" = None

    @classmethod
    def made(cls, parts: Mapping[str, "Place"] | None = None, items: "Place | None" = None) -> Self:
        """A value that is in no record: a struct of these parts, a list of such items, or anything else."""
        use = Use.PARTS if parts else Use.LIST if items else None
        return cls("a value", is_made=True, use=use, parts=dict(parts or {}), items=items)

    def part(self, name: str) -> "Place":
        """The part of a name."""
        self._use(Use.PARTS)
        for other in self.parts:
            if other != name and other.lower() == name.lower():
                raise Refused(f"{self.path} has {other} and {name}, which differ in capitals only")
        return self.parts.setdefault(name, Place(f"{self.path}.{name}", self.is_made))

    def item(self) -> "Place":
        """Any item of a list."""
        self._use(Use.LIST)
        if self.items is None:
            self.items = Place(f"{self.path}[]", self.is_made)
        return self.items

    def read(self) -> None:
        """Read it as the value that it is: a text, or what was made of others."""
        if not self.is_made:
            self._use(Use.WHOLE)
        for one in (*self.parts.values(), *([self.items] if self.items else [])):
            one.read()

    def shape(self) -> Shape:
        """The shape of what is read of it."""
        if self.parts:
            return {name: part.shape() for name, part in self.parts.items()}
        return [self.items.shape()] if self.items else WHOLE

    def _use(self, use: Use) -> None:
        if self.use not in (None, use):
            first, second = sorted({self.use, use}, key=list(Use).index)
            raise Refused(f"{self.path} is used {first.value} and {second.value}")
        self.use = use
