"""Texts and names as SQL writes them, for where it takes no parameter."""


def sql_text(text: str) -> str:
    """A text in quotes."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A name in quotes."""
    return '"' + name.replace('"', '""') + '"'
