"""One expression of a mapping: vetted by the tree that DuckDB's own parser makes of it, before anything runs it.

What is not listed here is refused. What an expression reads becomes known on the way: `places.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import duckdb

from bridgecart_assets.sources.mapping.allowed import (
    FUNCTIONS,
    LEAST_ARGUMENTS,
    OF_A_LIST,
    OF_LISTS,
    OPERATORS,
    PRESENCE,
    TYPES,
    WITH_LAMBDA,
)
from bridgecart_assets.sources.mapping.errors import Refused
from bridgecart_assets.sources.mapping.growth import check_growth
from bridgecart_assets.sources.mapping.places import Place

Node = Mapping[str, Any]
Scope = Mapping[str, Place]

ROOTS = ("value", "key", "headers", "timestamp")
LONGEST = 10_000  # characters
_DEEPEST = 200
_MOST_LAMBDAS = 3
_SELECT, _NAME = "SELECT ", " AS field"


@dataclass(frozen=True)
class Expression:
    """An expression that may be run: its SQL, made from its tree, and the roots that it reads.

    A path takes no computing.
    """

    sql: str
    roots: frozenset[str]
    is_path: bool


def vetted(connection: duckdb.DuckDBPyConnection, text: str, roots: Scope) -> Expression:
    """The expression of a text; what it reads is marked in the places. Raises Refused for what is not allowed."""
    if len(text) > LONGEST:
        raise Refused(f"it has {len(text):,} characters; at most {LONGEST:,} are allowed")
    if not text.strip():
        raise Refused("it is empty")
    parsed = _parsed(connection, text)
    vetting = _Vetting(roots)
    try:
        expression = _only_expression(parsed)
        vetting.place(expression, {}).read()
        check_growth(expression)
        (made,) = connection.execute("select json_deserialize_sql(?::json)", [json.dumps(parsed)]).fetchall()
    except RecursionError:
        raise Refused("it is nested too deeply") from None
    sql = str(made[0]).removeprefix(_SELECT).removesuffix(_NAME)
    return Expression(sql, frozenset(vetting.roots_read), is_path=expression["class"] == "COLUMN_REF")


def _parsed(connection: duckdb.DuckDBPyConnection, text: str) -> Node:
    # The line break ends a comment.
    try:
        (row,) = connection.execute("select json_serialize_sql(?)", [f"select ({text}\n) as field"]).fetchall()
        parsed: Node = json.loads(row[0])
    except RecursionError:
        raise Refused("it is nested too deeply") from None
    if parsed["error"]:
        raise Refused(f"it is no SQL expression ({str(parsed['error_message']).splitlines()[0]})")
    return parsed


_PLAIN_SELECT: Node = MappingProxyType(
    {
        "type": "SELECT_NODE",
        "modifiers": [],
        "cte_map": {"map": []},
        "where_clause": None,
        "group_expressions": [],
        "group_sets": [],
        "aggregate_handling": "STANDARD_HANDLING",
        "having": None,
        "sample": None,
        "qualify": None,
    }
)


def _only_expression(parsed: Node) -> Node:
    """The expression of a SELECT that has one and nothing else."""
    selects = [statement["node"] for statement in parsed["statements"]]
    if len(selects) == 1:
        rest = dict(selects[0])
        listed, table = rest.pop("select_list", ()), rest.pop("from_table", None)
        if rest == _PLAIN_SELECT and len(listed) == 1 and table["type"] == "EMPTY":
            expression: Node = listed[0]
            return expression
    raise Refused("it is more than one expression")


class _Vetting:
    """One walk through the tree of an expression."""

    def __init__(self, roots: Scope) -> None:
        self._roots = roots
        self._depth = 0
        self._lambdas = 0
        self.roots_read: set[str] = set()

    def place(self, node: Node, scope: Scope) -> Place:
        """The place that a part of the tree stands for; its own parts are vetted on the way."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Refused("it is nested too deeply")
        try:
            return self._of_class(node, scope)
        finally:
            self._depth -= 1

    def _of_class(self, node: Node, scope: Scope) -> Place:
        match node["class"]:
            case "COLUMN_REF":
                return self._path(node["column_names"], scope)
            case "CONSTANT":
                return Place.made()
            case "FUNCTION":
                return self._function(node, scope)
            case "OPERATOR":
                return self._operator(node, scope)
            case "CAST":
                _vet_type(node["type_expr"])
                return self._value(scope, node["child"])
            case "CASE":
                checks = [check[part] for check in node["case_checks"] for part in ("when_expr", "then_expr")]
                return self._value(scope, *checks, node["else_expr"])
            case "COMPARISON" | "CONJUNCTION" | "BETWEEN" as kind:
                return self._value(scope, *_compared(kind, node))
            case "LAMBDA":
                raise Refused("a lambda is allowed in list_transform and list_filter only")
            case other:
                raise Refused(f"a {str(other).lower().replace('_', ' ')} is not allowed in it")

    def _value(self, scope: Scope, *nodes: Node) -> Place:
        """A value that is made of others, which are read."""
        for node in nodes:
            self.place(node, scope).read()
        return Place.made()

    def _path(self, names: list[str], scope: Scope) -> Place:
        root, *parts = names
        place = scope.get(root)
        if place is None:
            if root not in self._roots:
                raise Refused(f"{'.'.join(names)} begins with none of {', '.join(ROOTS)}")
            place = self._roots[root]
            self.roots_read.add(root)
        for part in parts:
            place = place.part(part)
        return place

    def _function(self, node: Node, scope: Scope) -> Place:
        name = str(node["function_name"]).lower()
        if name not in FUNCTIONS or node["schema"] or node["catalog"]:
            raise Refused(f"{name}() is not allowed in it")
        arguments = [argument["expression"] for argument in node["arguments"]]
        if node["filter"] or node["order_bys"]["orders"] or node["distinct"]:
            raise Refused(f"{name}() is no aggregate here")
        if len(arguments) < LEAST_ARGUMENTS.get(name, 0):
            raise Refused(f"{name}() is allowed with {LEAST_ARGUMENTS[name]} arguments only")
        if name == "struct_pack":
            names = [argument["name"] for argument in node["arguments"]]
            return Place.made({one: self.place(part, scope) for one, part in zip(names, arguments, strict=True)})
        return self._called(name, arguments, scope)

    def _called(self, name: str, arguments: list[Node], scope: Scope) -> Place:
        match name, arguments:
            case "list_value", [first, *others]:
                item = self.place(first, scope)
                self._value(scope, *others)
                return Place.made(items=item)
            case "struct_extract", [of, {"class": "CONSTANT", "literal": {"kind": "STRING", "text": str(part)}}]:
                return self.place(of, scope).part(part)
            case "len", [of]:
                self.place(of, scope).item()
                return Place.made()
            case _, [of, {"class": "LAMBDA"} as function] if name in WITH_LAMBDA:
                return self._for_each(name, self.place(of, scope), function, scope)
        lists = arguments if name in OF_LISTS else arguments[:1] if name in OF_A_LIST else []
        for one in lists:
            self.place(one, scope).item().read()
        return self._value(scope, *arguments[len(lists) :])

    def _for_each(self, name: str, of: Place, function: Node, scope: Scope) -> Place:
        parameters = function["lhs"].get("column_names", ())
        if len(parameters) != 1:
            raise Refused("a lambda has one parameter here")
        if parameters[0] in (*ROOTS, *scope):
            raise Refused(f"{parameters[0]} is a name already")
        self._lambdas += 1
        if self._lambdas > _MOST_LAMBDAS:
            raise Refused(f"lists are gone through in more than {_MOST_LAMBDAS} levels")
        result = self.place(function["expr"], {**scope, parameters[0]: of.item()})
        self._lambdas -= 1
        if name == "list_filter":
            result.read()
            return of
        return Place.made(items=result)

    def _operator(self, node: Node, scope: Scope) -> Place:
        kind, children = node["type"], node["children"]
        if kind not in OPERATORS:
            raise Refused(f"{str(kind).lower().replace('_', ' ')} is not allowed in it")
        if kind in PRESENCE:
            self.place(children[0], scope)
            return Place.made()
        match kind, children:
            case (
                "STRUCT_EXTRACT" | "ARRAY_EXTRACT",
                [of, {"class": "CONSTANT", "literal": {"kind": "STRING", "text": str(part)}}],
            ):
                return self.place(of, scope).part(part)
            case "ARRAY_EXTRACT", [of, number]:
                self._value(scope, number)
                return self.place(of, scope).item()
            case "ARRAY_SLICE", [of, *bounds]:
                self._value(scope, *bounds)
                place = self.place(of, scope)
                place.item()
                return place
        return self._value(scope, *children)


def _compared(kind: str, node: Node) -> list[Node]:
    parts = {"COMPARISON": ("left", "right"), "BETWEEN": ("input", "lower", "upper")}
    return list(node["children"]) if kind == "CONJUNCTION" else [node[part] for part in parts[kind]]


def _vet_type(node: Node) -> None:
    name = str(node["type_name"]).upper()
    if node["class"] != "TYPE" or name not in TYPES or node["schema"] or node["catalog"]:
        raise Refused(f"a cast to {name} is not allowed in it")
    for child in node["children"]:
        if child["class"] != "CONSTANT":
            _vet_type(child)
