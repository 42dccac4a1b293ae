"""Docstrings of the product say things, not questions."""

import ast
from collections.abc import Iterator
from pathlib import Path

import bridgecart_assets

PACKAGE = Path(bridgecart_assets.__file__).parent
QUESTIONS = {"how", "what", "when", "where", "whether", "which", "who", "whom", "whose", "why"}


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """The line and text of every docstring of a module, private ones included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def asking(source: str) -> list[tuple[int, str]]:
    """The lines and first lines of docstrings that begin with a question word."""
    return [(line, text.splitlines()[0]) for line, text in docstrings(source) if text.split()[0].lower() in QUESTIONS]


def test_every_docstring_begins_with_the_thing_that_it_describes():
    found = [
        f"{file.relative_to(PACKAGE)}:{line}: {first}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for line, first in asking(file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_a_question_is_found_in_a_module_a_class_and_a_method():
    source = '"""What it is."""\nclass A:\n    """How it is."""\n    def b(self):\n        """Whether it is."""\n'
    assert [line for line, _ in asking(source)] == [1, 2, 4]
    assert asking('"""True if it is what it was."""') == []
