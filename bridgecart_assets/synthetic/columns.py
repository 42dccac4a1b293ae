"""Tables as structs of numpy arrays of equal length."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Columns:
    """Base of the tables: every field of a subclass is a one-dimensional array, row i is the i-th of each."""

    def __len__(self) -> int:
        column: NDArray[Any] = getattr(self, fields(self)[0].name)
        return len(column)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Self:
        """The rows at these positions, in this order; a slice gives views."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """All rows of the parts, one after the other; at least one part."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
