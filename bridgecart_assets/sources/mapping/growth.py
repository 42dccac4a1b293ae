"""A bound of what an expression can make of a record, so that no record and no mapping fills the memory.

The memory limit of DuckDB does not hold for the texts that its functions make, so what could grow is refused before.
Growth is in times the size of the record; that of numbers, comparisons and conditions is one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bridgecart_assets.sources.mapping.errors import Refused

Node = Mapping[str, Any]

MOST = 100
_BEYOND = float(MOST + 1)
_OF_NUMBERS = frozenset({"+", "-", "*", "/", "//", "%"})
_OF_SIZE = frozenset({"VARCHAR", "TEXT", "STRING", "CHAR", "BPCHAR", "BLOB", "LIST"})


def check_growth(expression: Node) -> None:
    """Raise Refused where an expression could make more than a hundred times of a record."""
    if _growth(expression, None) > MOST:
        raise Refused(
            f"it could make more than {MOST} times of a record; in a list read of its items only, and replace by less"
        )


def _growth(node: Node, items: Mapping[str, float] | None) -> float:
    """The growth of a part of the tree; `items` are the parameters of the lambdas around it, None outside of any."""
    match node["class"]:
        case "COLUMN_REF":
            # In a list it would be there once an item.
            return (items or {}).get(node["column_names"][0], _BEYOND if items else 1.0)
        case "CONSTANT":
            return max(len(str(node["literal"]["text"])) / 2, 1.0) if items else 1.0
        case "CAST":
            return _growth(node["child"], items) if node["type_expr"]["type_name"].upper() in _OF_SIZE else 1.0
        case "CASE":
            return max(_growth(part, items) for part in _branches(node))
        case "OPERATOR":
            return _of_operator(node, items)
        case "FUNCTION":
            return _of_function(node, items)
    return 1.0


def _branches(node: Node) -> Iterator[Node]:
    for check in node["case_checks"]:
        yield check["then_expr"]
    yield node["else_expr"]


def _of_operator(node: Node, items: Mapping[str, float] | None) -> float:
    kinds = ("OPERATOR_COALESCE", "OPERATOR_TRY", "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT")
    return max(_growth(child, items) for child in node["children"]) if node["type"] in kinds else 1.0


def _of_function(node: Node, items: Mapping[str, float] | None) -> float:
    arguments = [argument["expression"] for argument in node["arguments"]]
    match arguments:
        case [of, {"class": "LAMBDA"} as function]:
            around = _growth(of, items)
            (parameter,) = function["lhs"]["column_names"]
            made = _growth(function["expr"], {**(items or {}), parameter: around})
            return around if node["function_name"] == "list_filter" else made
        case [separator, *joined] if node["function_name"] == "concat_ws":
            return sum(_growth(one, items) for one in joined) * _joined([separator])
        case [of, *others] if node["function_name"] in _FACTORS:
            return _growth(of, items) * _FACTORS[node["function_name"]](others)
    grown = [_growth(argument, items) for argument in arguments]
    return max(max(grown, default=1.0) if node["function_name"] in _OF_NUMBERS else sum(grown), 1.0)


def _replaced(arguments: Sequence[Node]) -> float:
    replaced, by = (_length(argument) for argument in arguments[:2])
    return max(by / max(replaced, 1), 1.0)


def _replaced_pattern(arguments: Sequence[Node]) -> float:
    # Each character may stand behind an empty match.
    return 1.0 + _length(arguments[1])


def _joined(arguments: Sequence[Node]) -> float:
    return 1.0 + _length(arguments[0])


def _length(argument: Node) -> int:
    if argument["class"] != "CONSTANT":
        raise Refused("what it replaces or joins by has to be a text in quotes")
    return len(str(argument["literal"]["text"]))


_FACTORS: Mapping[str, Callable[[Sequence[Node]], float]] = {
    "replace": _replaced,
    "regexp_replace": _replaced_pattern,
    "array_to_string": _joined,
    **dict.fromkeys(("hex", "base64", "to_base64"), lambda _: 2.0),
}
