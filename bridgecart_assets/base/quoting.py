"""Texts and names as SQL writes them, for where it takes no parameter."""

from collections.abc import Iterable


def sql_text(text: str) -> str:
    """A text in quotes."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A name in quotes."""
    return '"' + name.replace('"', '""') + '"'


def sql_names(names: Iterable[str]) -> str:
    """Names in quotes, as columns are listed."""
    return ", ".join(map(sql_name, names))
