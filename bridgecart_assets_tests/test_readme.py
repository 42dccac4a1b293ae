"""The README and the definitions say what is true."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from bridgecart_assets.cli import cli
from bridgecart_assets_tests.docs import (
    COMMANDS,
    CONFIGURATION,
    CONTRACTS,
    EVENTS,
    KPIS,
    MAPPING,
    README,
    TESTS_README,
    contracts,
    fresh_configuration,
    fresh_events,
    fresh_kpis,
    fresh_mapping,
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


def documents() -> list[Path]:
    """Every document for people."""
    return [*README.parent.glob("*.md"), *(README.parent / "docs").glob("*.md")]


def code_of(document: Path) -> str:
    """What a document shows as code, in blocks and in lines."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"`[^`\n]+`", text)])


@pytest.mark.parametrize(
    ("document", "fresh"),
    [(README, fresh_readme), (CONFIGURATION, fresh_configuration), (EVENTS, fresh_events), (MAPPING, fresh_mapping)],
)
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


def test_every_command_line_in_the_documents_names_a_command_and_options_that_exist():
    options = {command.split()[0]: {"--help"} for command, _ in commands()}
    for name, command in commands():
        options[name.split()[0]] |= {option for parameter in command.params for option in parameter.opts}
    lines = [
        (document.name, name, set(re.findall(r"--[a-z-]+", rest)))
        for document in documents()
        for name, rest in re.findall(r"(?<![\w.-])bridgecart ([a-z]+)\b([^`#\n]*)", code_of(document))
    ]
    assert {name for _, name, _ in lines} == options.keys()
    assert [line for line in lines if not line[2] <= options[line[1]]] == []


def test_every_target_of_make_in_the_documents_is_one_that_there_is():
    targets = set(re.findall(r"^([a-z-]+):", (README.parent / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in documents():
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", code_of(document), re.MULTILINE))
        assert named <= targets, document.name


def test_the_readme_stays_short():
    assert len(README.read_text(encoding="utf-8").split()) < 1_800


def test_the_index_names_every_document_once():
    index = (README.parent / "docs" / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"^\| \[[\w.-]+\]\(([^)]+)\) \|", index, re.MULTILINE)
    named = [(README.parent / "docs" / link).resolve() for link in links]
    assert sorted(named) == sorted(file for file in documents() if file != README.parent / "docs" / "README.md")
