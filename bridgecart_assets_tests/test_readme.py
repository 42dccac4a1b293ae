"""The README and the definitions say what is true."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from bridgecart_assets.commands.cli import cli
from bridgecart_assets_tests.docs import (
    COMMANDS,
    CONFIGURATION,
    CONTRACTS,
    KPIS,
    README,
    TESTS_README,
    contracts,
    fresh_configuration,
    fresh_kpis,
    fresh_readme,
    fresh_tests_readme,
)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command as it is typed after `bridgecart`."""
    for name, command in cli.commands.items():
        if isinstance(command, click.Group):
            yield from ((f"{name} {part}", below) for part, below in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize(("document", "fresh"), [(README, fresh_readme), (CONFIGURATION, fresh_configuration)])
def test_the_tables_of_settings_are_those_of_the_code(document: Path, fresh: Callable[[str], str]):
    text = document.read_text(encoding="utf-8")
    assert fresh(text) == text, "run: python -m bridgecart_assets_tests.docs"


def test_every_helper_of_the_tests_is_in_their_index():
    text = TESTS_README.read_text(encoding="utf-8")
    assert fresh_tests_readme(text) == text, "run: python -m bridgecart_assets_tests.docs"


def test_the_tables_of_columns_in_the_definitions_are_those_of_the_contracts():
    text = KPIS.read_text(encoding="utf-8")
    assert fresh_kpis(text) == text, "run: python -m bridgecart_assets_tests.docs"


def test_the_data_dictionary_is_that_of_the_contracts():
    assert CONTRACTS.read_text(encoding="utf-8") == contracts(), "run: python -m bridgecart_assets_tests.docs"


@pytest.mark.parametrize("document", [README, COMMANDS], ids=lambda document: document.name)
def test_every_command_is_in_the_document_and_every_option_named_there_exists(document: Path):
    text = document.read_text(encoding="utf-8")
    for name, command in commands():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `bridgecart {name}` |")]
        options = {option for parameter in command.params for option in parameter.opts}
        named = {word.strip("`,.;") for word in line.split() if word.strip("`").startswith("--")}
        assert named <= options


def test_the_readme_stays_short():
    assert len(README.read_text(encoding="utf-8").split()) < 1_800


def test_the_index_names_every_document_once():
    index = (README.parent / "docs" / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"^\| \[[\w.-]+\]\(([^)]+)\) \|", index, re.MULTILINE)
    documents = [*(README.parent / "docs").glob("*.md"), *README.parent.glob("*.md")]
    named = [(README.parent / "docs" / link).resolve() for link in links]
    assert sorted(named) == sorted(file for file in documents if file != README.parent / "docs" / "README.md")
