"""The parts of a contract: a column, a table, and the types that several tables share.

Every table is declared once, in the module of its layer. From there come the DDL, the check before every write, the
asset checks and the column schema in the UI. How a table is computed: `sql/`; how it is written: `warehouse/`.
"""

from dataclasses import dataclass

BATCH_COLUMN = "batch_key"

MONEY = "DECIMAL(18,2)"
INSTANT = "TIMESTAMP"


@dataclass(frozen=True)
class Column:
    """One column: name, DuckDB type, meaning (with its unit), whether NULL is allowed.

    `audit` marks columns that tell how a row came here (batch, run, load time): they differ between two ways of
    loading the same orders and are left out when results are compared.
    """

    name: str
    type: str
    meaning: str
    nullable: bool = False
    audit: bool = False
    compression: str | None = None


@dataclass(frozen=True)
class Contract:
    """One table: `schema.name`, its meaning, columns, key, and whether it is written batch by batch.

    A view is no less a table of an asset: its rows are derived whenever they are read, from what is stored elsewhere.
    """

    schema: str
    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    published: bool = False
    is_view: bool = False

    @property
    def full_name(self) -> str:
        """`schema.name`, as it stands in SQL."""
        return f"{self.schema}.{self.name}"

    @property
    def kind(self) -> str:
        """The word for it in SQL: table or view."""
        return "view" if self.is_view else "table"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(column.name for column in self.columns)

    @property
    def result_columns(self) -> tuple[str, ...]:
        """Column names without the audit columns."""
        return tuple(column.name for column in self.columns if not column.audit)

    @property
    def partitioned(self) -> bool:
        """True for tables that are written one batch at a time."""
        return BATCH_COLUMN in self.column_names

    def ddl(self) -> str:
        """The CREATE TABLE statement (`if not exists`)."""
        columns = ",\n  ".join(_column_ddl(column) for column in self.columns)
        return f"create table if not exists {self.full_name} (\n  {columns}\n)"


def _column_ddl(column: Column) -> str:
    compression = f" using compression {column.compression}" if column.compression else ""
    return f'"{column.name}" {column.type}{compression}{"" if column.nullable else " not null"}'


def taken_from(contract: Contract, *names: str) -> tuple[Column, ...]:
    """Some columns of another table, in its order."""
    return tuple(column for column in contract.columns if column.name in names)
