"""The list of forgotten customers beside the warehouse: who is erased stays so when the warehouse file is another one.

It says what `raw.forgotten_customers` and `gold.erased_value` say: salted hashes, and sums by segment. No id is in it.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.contracts import ERASED_VALUE, FORGOTTEN_CUSTOMERS

_FILE = "forgotten_customers.json"


class ForgottenListUnusable(BridgeCartError):
    """The list beside the warehouse cannot be read, or is that of another warehouse."""


@dataclass(frozen=True)
class ForgottenList:
    """The forgotten customers, and what they were worth.

    Attributes:
        customers: by hash, the salt and the instant before which their orders are erased, UTC.
        value: by period unit, period and segment key, how many they were and their net sales.

    """

    customers: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    value: Mapping[tuple[str, date, str], tuple[int, Decimal]] = field(default_factory=dict)

    @classmethod
    def beside(cls, warehouse: Path) -> Self | None:
        """The list beside this warehouse file; None where there is none. Raises ForgottenListUnusable."""
        file = warehouse.with_name(_FILE)
        if not file.exists():
            return None
        try:
            said = json.loads(file.read_bytes())
            customers = {str(h): (str(salt), _instant(before)) for h, salt, before in said["customers"]}
            value = {
                (str(unit), date.fromisoformat(period), str(key)): (int(count), Decimal(sales))
                for unit, period, key, count, sales in said["value"]
            }
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError) as error:
            raise ForgottenListUnusable(
                f"The list of forgotten customers {file} cannot be read ({type(error).__name__}): put it back from a "
                "copy. Without it, whom an older warehouse has would come back."
            ) from error
        return cls(customers, value)

    @classmethod
    def stored(cls, connection: duckdb.DuckDBPyConnection) -> Self:
        """The list as stored in the tables of the warehouse; empty where they do not stand."""
        try:
            customers = _rows(connection, FORGOTTEN_CUSTOMERS.full_name)
            value = _rows(connection, ERASED_VALUE.full_name)
        except duckdb.CatalogException:
            return cls()
        return cls(
            {h: (salt, before) for h, salt, before in customers},
            {(unit, period, key): (count, sales) for unit, period, key, count, sales in value},
        )

    def without(self, other: "ForgottenList") -> Self:
        """The customers whom the other does not have forgotten, or only some of their orders."""
        new = {
            h: (salt, before)
            for h, (salt, before) in self.customers.items()
            if h not in other.customers or other.customers[h][1] < before
        }
        return type(self)(new)

    def require_same_salt(self, other: "ForgottenList") -> None:
        """Raise ForgottenListUnusable when the two cannot be of one warehouse."""
        if len({salt for each in (self, other) for salt, _ in each.customers.values()}) > 1:
            raise ForgottenListUnusable(
                f"{_FILE} and the warehouse beside it are of two shops, or one of them was begun anew: put the right "
                "one in its place."
            )

    def merged(self, other: "ForgottenList") -> Self:
        """Everything that one of the two says."""
        customers = {**other.customers, **self.without(other).customers}
        value = {**other.value}
        for key, (count, sales) in self.value.items():
            # Both are states of one history, in which the number grows.
            if key not in value or value[key][0] < count:
                value[key] = (count, sales)
        return type(self)(customers, value)

    def store(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let the tables of the warehouse, which stand, say the same."""
        connection.execute(f"delete from {FORGOTTEN_CUSTOMERS.full_name}")
        connection.execute(f"delete from {ERASED_VALUE.full_name}")
        for h, (salt, before) in sorted(self.customers.items()):
            connection.execute(f"insert into {FORGOTTEN_CUSTOMERS.full_name} values (?, ?, ?)", [h, salt, before])
        for key, about in sorted(self.value.items()):
            connection.execute(f"insert into {ERASED_VALUE.full_name} values (?, ?, ?, ?, ?)", [*key, *about])

    def write(self, warehouse: Path) -> None:
        """Write the list beside the warehouse file, whole or not at all, with the permissions of that file."""
        file = warehouse.with_name(_FILE)
        partial = file.with_name(f"{_FILE}.partial")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(self._to_json(), indent=1) + "\n", encoding="utf-8")
        shutil.copymode(warehouse, partial)
        partial.replace(file)

    def as_table(self) -> pa.Table:
        """The customers as rows of `raw.forgotten_customers`."""
        rows = [(h, salt, before) for h, (salt, before) in sorted(self.customers.items())]
        types = (pa.string(), pa.string(), pa.timestamp("us"))
        schema = pa.schema(list(zip(FORGOTTEN_CUSTOMERS.column_names, types, strict=True)))
        return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)

    def _to_json(self) -> dict[str, Any]:
        customers = [[h, salt, before.isoformat()] for h, (salt, before) in sorted(self.customers.items())]
        value = [
            [unit, period.isoformat(), key, count, str(sales)]
            for (unit, period, key), (count, sales) in sorted(self.value.items())
        ]
        return {"about": "Forgotten customers, as salted hashes. Keep a copy.", "customers": customers, "value": value}


def remove_list(warehouse: Path) -> None:
    """Remove the list beside this warehouse file, if there is one."""
    warehouse.with_name(_FILE).unlink(missing_ok=True)


def _rows(connection: duckdb.DuckDBPyConnection, table: str) -> list[Any]:
    return connection.execute(f"from {table}").fetchall()


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is not None:
        raise ValueError("instants of the list are UTC and carry no offset")
    return instant
