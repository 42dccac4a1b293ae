"""Faults injected by the tests of a session, and what became of the records: printed below the summary."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.support.state import digests, rows

COUNTS = 'select count(*), count(distinct ("partition", "offset")) from raw.orders where topic_id = ?'


@dataclass(frozen=True)
class Account:
    """Of one test: what was broken how often, records produced, and those that are missing or there twice."""

    fault: str
    injected: int
    produced: int
    lost: int
    doubled: int


@dataclass
class Faults:
    """The accounts of a session."""

    accounts: list[Account] = field(default_factory=list)

    def settle(
        self,
        fault: str,
        injected: int,
        *,
        warehouse: Warehouse,
        topic_id: str,
        produced: int,
        tables: Mapping[str, str] | None = None,
    ) -> None:
        """Every record of the topic is in raw once, in the ledger once, and the tables are the undisturbed ones.

        `tables` are the digests to compare with; without them the records are all that is compared.
        """
        ((stored, distinct),) = rows(warehouse, COUNTS, topic_id)
        account = Account(fault, injected, produced, produced - distinct, stored - distinct)
        self.accounts.append(account)
        assert (account.lost, account.doubled) == (0, 0), account
        in_ledger = rows(warehouse, "select sum(records)::bigint from raw.batches where topic_id = ?", topic_id)
        assert in_ledger == [(produced,)]
        if tables is not None:
            assert digests(warehouse) == tables

    def packed(self) -> list[tuple[Any, ...]]:
        """The accounts as plain values, to be sent to another process."""
        return [astuple(account) for account in self.accounts]

    def add_packed(self, accounts: Iterable[Iterable[Any]]) -> None:
        """Add the accounts of another process."""
        self.accounts += (Account(*values) for values in accounts)

    def lines(self) -> Iterator[str]:
        """One line an account, and the totals."""
        for account in self.accounts:
            yield _line(account)
        if self.accounts:
            columns = zip(*((a.injected, a.produced, a.lost, a.doubled) for a in self.accounts), strict=True)
            yield _line(Account("total", *map(sum, columns)))


OF_SESSION = Faults()
"""Of this process: a worker hands them to the process that prints the summary."""


def _line(account: Account) -> str:
    return (
        f"{account.injected:5} faults, {account.produced:7,} records, {account.lost} lost, {account.doubled} doubled: "
        f"{account.fault}"
    )


def warehouse_in(folder: Path) -> Warehouse:
    """The warehouse of a data directory."""
    return Warehouse(folder / "bridgecart.duckdb")
