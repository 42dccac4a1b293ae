"""The query that reads records by a mapping: one row a record, in their order.

Every field is tried by itself: an error in one says that this field of this record is bad, and costs no other.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

import duckdb

from bridgecart_assets.base.quoting import sql_name, sql_text
from bridgecart_assets.contracts.event import MAPPED_COLUMNS, MAPPED_TYPES, Flag, MappedType, Text
from bridgecart_assets.sources.mapping.compiling import Compiled
from bridgecart_assets.sources.mapping.decoding.shapes import Shape
from bridgecart_assets.sources.mapping.errors import MappingError, Refused
from bridgecart_assets.sources.mapping.expressions import Expression
from bridgecart_assets.sources.mapping.values import field_value, value_type


class Form(Enum):
    """Forms in which the values, or the keys, come in the table of records."""

    JSON = "bytes with JSON in them"
    DECODED = "a column of what was decoded"
    ABSENT = "nothing, in all of the records"


@dataclass(frozen=True)
class Query:
    """The query of a mapping for records whose values and keys come in one form each.

    `minor_digits`: amounts are in minor units, of which so many digits make a unit. `tombstones`: what a record
    without value is.
    """

    compiled: Compiled
    tombstones: str
    minor_digits: int | None
    value: Form = Form.JSON
    key: Form = Form.JSON

    def sql(self, connection: duckdb.DuckDBPyConnection, records: str) -> str:
        """The query on a table with value, key, headers, kafka_timestamp and undecodable. Raises MappingError."""
        rooted = f"with documents as ({self._documents(records)}), rooted as ({self._rooted()})"
        types = Types(connection, f"{rooted} select * from rooted")
        types.ask(f"({expression.sql})" for expression in self.compiled.fields.values())
        wanted, is_doubtful = self._wanted(types)
        fields = [self._field(types, name, expression) for name, expression in self.compiled.fields.items()]
        return (
            f"{rooted}, asked as (select *, {wanted} as wanted from rooted), "
            f"doubted as (select *, {is_doubtful} as is_doubtful from asked), "
            f"judged as ({self._judged()}), "
            f"given as (select *, {', '.join(one.given for one in fields)} from judged), "
            f"told as (select *, {', '.join(one.told for one in fields)} from given), "
            f"tried as (select *, {', '.join(one.failed for one in fields)} from told) "
            f"select unreadable, skipped, {self._bad_fields()} as bad_fields, {', '.join(self._outputs())} from tried"
        )

    def _documents(self, records: str) -> str:
        """The records, with what is read of their JSON."""
        if self.value is not Form.JSON:
            return f"select *, undecodable as unreadable from {records}"
        # With one error in a vector, all its values are tried one by one: what looks like no object is not tried.
        body = "case when body like '{%}' or is_in_braces(body) then with_all_digits(body) end"
        value = "null" if self.compiled.value is None else f"try({_transformed(body, self.compiled.value)})"
        # A JSON function raises on malformed text, and shows it: so it never gets any.
        return (
            "select *, case when value is not null then null when undecodable is not null then undecodable "
            "when body is null then 'not_utf8' when not json_valid(body) then 'not_json' "
            "when json_type(body) <> 'OBJECT' then 'not_object' end as unreadable "
            f"from (select * replace ({value} as value) "
            f"from (select *, case when undecodable is null then try(decode(value)) end as body from {records}))"
        )

    def _rooted(self) -> str:
        """The four names that expressions read."""
        headers = ", ".join(f"{sql_name(one)} := header_of(headers, {sql_text(one)})" for one in self.compiled.headers)
        return (
            f"select unreadable, {self._value()} as value, {self._key()} as key, "
            f"{f'struct_pack({headers})' if headers else 'null'} as headers, "
            "kafka_timestamp at time zone 'UTC' as \"timestamp\" from documents"
        )

    def _value(self) -> str:
        shape = self.compiled.value
        if shape is None:
            return "null"
        return _nothing(shape) if self.value is Form.ABSENT else "value"

    def _key(self) -> str:
        shape = self.compiled.key
        if shape is None:
            return "null"
        match self.key:
            case Form.JSON if isinstance(shape, str):
                return "case when json_valid(try(decode(key))) then decode(key) ->> '$' else try(decode(key)) end"
            case Form.JSON:
                return _transformed(
                    "case when json_valid(try(decode(key))) then with_all_digits(decode(key)) end", shape
                )
            case Form.DECODED:
                return "key"
            case Form.ABSENT:
                return _nothing(shape)

    def _wanted(self, types: "Types") -> tuple[str, str]:
        """The mapping's condition on a record, and whether it failed."""
        where = self.compiled.where
        if where is None:
            return "true", "false"
        value = self._field_value(types, "[records] where", Flag(), where, where.sql)
        # What is asked of a value cannot be asked of none.
        is_free = "coalesce(unreadable = 'tombstone', false)" if "value" in where.roots else "false"
        is_asked = (
            "unreadable is null" if "value" in where.roots else "(unreadable is null or unreadable = 'tombstone')"
        )
        return (
            f"{is_free} or try(case when {is_asked} then {value} end)",
            f"case when wanted is null and {is_asked} then try([{value}]) is null else false end",
        )

    def _judged(self) -> str:
        is_tombstone = "coalesce(unreadable = 'tombstone', false)"
        is_kept = f"{is_tombstone} and {sql_text(self.tombstones)} <> 'reject'"
        is_deleted = f"{is_tombstone} and {sql_text(self.tombstones)} = 'delete'"
        is_asked = f"(unreadable is null or {is_deleted})"
        return f"""
            select value, key, headers, "timestamp", {is_deleted} and wanted as is_deleted,
                case when {is_asked} then case when is_doubtful then 'bad_where' end
                    when not ({is_kept}) then unreadable end as unreadable,
                case when {is_asked} then case when not is_doubtful and wanted is not true then 'where' end
                    when {is_kept} then 'tombstone' end as skipped,
                {is_asked} and coalesce(wanted, false) as is_read
            from doubted"""

    def _field(self, types: "Types", name: str, expression: Expression) -> "_Field":
        kind, given = MAPPED_TYPES[name], f"given_{name}"
        value = self._field_value(types, f"[order] {name}", kind, expression, given)
        return _Field(name, expression, value, is_text=isinstance(kind, Text))

    def _field_value(self, types: "Types", place: str, kind: MappedType, expression: Expression, given: str) -> str:
        """The value of a field, of what its expression has given."""
        minor_digits = None if place == _INCOME else self.minor_digits
        try:
            return field_value(kind, given, lambda part: types.of(f"({expression.sql}){part}"), minor_digits)
        except Refused as refused:
            raise MappingError(f"{self.compiled.name} {place}: {refused}") from None

    def _bad_fields(self) -> str:
        failed = {name: f"failed_{name}" for name in self.compiled.fields}
        if "refunded_amount" in failed:
            failed["refunded_date"] += " or (refunded_amount <> 0 and refunded_date is null)"
        named = ", ".join(f"case when {when} then {sql_text(name)} end" for name, when in failed.items())
        return (
            f"case when {' or '.join(failed.values())} then list_filter([{named}], lambda field: field is not null) end"
        )

    def _outputs(self) -> Iterator[str]:
        """The columns of the fields, in the order of the contract."""
        for name, kind in MAPPED_COLUMNS.items():
            yield f"{self._output(name, kind)} as {sql_name(name)}"

    def _output(self, name: str, kind: MappedType) -> str:
        if name == "is_void":
            return self._is_void()
        if name == "refunds" and "refunded_amount" in self.compiled.fields:
            return _ONE_REFUND
        return sql_name(name) if name in self.compiled.fields else f"null::{value_type(kind)}"

    def _is_void(self) -> str:
        if "version" not in self.compiled.fields:
            return "null::boolean"
        return f"is_deleted or coalesce({'is_void' if 'is_void' in self.compiled.fields else 'false'}, false)"


@dataclass(frozen=True)
class _Field:
    """A field in three steps: what its expression gives, the value that is made of it, and whether either failed.

    A path gives what is there, and a text is one already: neither fails.
    """

    name: str
    expression: Expression
    value: str
    is_text: bool

    @property
    def given(self) -> str:
        """The result of the expression; NULL also where it fails."""
        given = f"case when is_read then {self.expression.sql} end"
        return f"{given if self.expression.is_path else f'try({given})'} as given_{self.name}"

    @property
    def told(self) -> str:
        """The value that is made of it; NULL also where none can be."""
        return f"{self.value if self.is_text else f'try({self.value})'} as {sql_name(self.name)}"

    @property
    def failed(self) -> str:
        """The condition under which either failed: of NULL alone it has to be asked."""
        cases = ""
        if not self.expression.is_path:
            cases += f" when is_read and given_{self.name} is null then try([{self.expression.sql}]) is null"
        if not self.is_text:
            cases += f" when given_{self.name} is not null and {self.name} is null then try([{self.value}]) is null"
        return f"{f'case{cases} else false end' if cases else 'false'} as failed_{self.name}"


class Types:
    """The types of expressions, by what they are read from."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, roots: str) -> None:
        self._connection = connection
        self._roots = roots
        self._known: dict[str, str] = {}

    def ask(self, expressions: Iterable[str]) -> None:
        """Ask for several at once, which takes as long as for one. Where one has none, each is asked for by itself."""
        asked = list(expressions)
        with suppress(duckdb.Error):
            self._known = dict(zip(asked, self._bound(", ".join(asked)), strict=True))

    def of(self, expression: str) -> str:
        """The type of one. Raises Refused where it has none."""
        if expression not in self._known:
            try:
                (self._known[expression],) = self._bound(expression)
            except duckdb.Error as error:
                raise Refused(str(error).splitlines()[0]) from None
        return self._known[expression]

    def _bound(self, expressions: str) -> list[str]:
        return [str(one) for one in self._connection.sql(f"select {expressions} from ({self._roots})").types]


# No amount of an order.
_INCOME = "[order] income"
_ONE_REFUND = """case when refunded_amount <> 0 and refunded_date is not null
    then [{'at': refunded_date, 'amount': refunded_amount}] end"""


def _transformed(body: str, shape: Shape) -> str:
    return f"json_transform({body}, {sql_text(json.dumps(shape))})"


def _nothing(shape: Shape) -> str:
    """NULL in the shape, of no type: whatever takes a value takes it."""
    match shape:
        case str():
            return "null"
        case list():
            return f"[{_nothing(shape[0])}][1:0]"
        case dict():
            return f"struct_pack({', '.join(f'{sql_name(name)} := {_nothing(part)}' for name, part in shape.items())})"


_NO_RECORDS = """select null::blob as value, null::blob as key, null::struct(name varchar, value blob)[] as headers,
    null::timestamp as kafka_timestamp, null::varchar as undecodable where false"""


def check_types(connection: duckdb.DuckDBPyConnection, query: Query) -> None:
    """Raise MappingError where an expression has no type that its field is made of."""
    connection.sql(query.sql(connection, f"({_NO_RECORDS})"))
