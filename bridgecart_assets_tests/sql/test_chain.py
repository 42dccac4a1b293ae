"""What SQL files say that they need and give is what they need and give, and their order follows from it."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

import duckdb
import pytest

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import (
    CUSTOMER_SEGMENTS,
    PURCHASE_MODEL,
    SEGMENT_DRIFT,
    SEGMENT_MODEL,
    SILVER_ORDERS,
    TABLES,
)
from bridgecart_assets.sql import file_of, read_sql
from bridgecart_assets.sql import headers as headers_module
from bridgecart_assets.sql.chain import FROM_PYTHON, chain, files_before
from bridgecart_assets.sql.headers import Header, HeaderError, headers, parse_header
from bridgecart_assets.warehouse import queries
from bridgecart_assets.warehouse.incremental.scope import scoped
from bridgecart_assets.warehouse.storage.tables import steps_of
from bridgecart_assets_tests.sql.standins import (
    PARAMETERS,
    STORED,
    empty_warehouse,
    run,
    stand_ins,
    standing,
    with_only,
)

# Erasure takes its customers from one of two files, and Python runs the rest in order.
ERASURES = [
    [
        *chain("erasure/tmp_records_to_erase", through=(customers,)),
        "erasure/note_erasure",
        "erasure/erase_records",
        "silver/tmp_standing_rows",
        "silver/tmp_contested_orders",
        "silver/tmp_ranked_states",
        "silver/tmp_ranked_events",
        "silver/tmp_counting_events",
        "silver/tmp_summed_orders",
        "silver/tmp_written_orders",
        "internal/tmp_all_batches",
    ]
    for customers in ("erasure/tmp_customers_to_erase", "erasure/tmp_returned_customers")
]
# What openings follow by is no table's own: Python scores customers of these dates in turn.
FOLLOWED = [
    chain("gold/tmp_late_orders"),
    chain("gold/tmp_everybody_since"),
    chain("gold/tmp_timeline", through=("gold/tmp_states_of_now",)),
    chain("gold/tmp_timeline", through=("gold/tmp_everybody_at_openings",)),
]
# Spark's workers ask of which orders the records are before they judge them.
KEYED = chain("silver/tmp_keyed_records")
FITTED = {contract.full_name for contract in (PURCHASE_MODEL, SEGMENT_MODEL, SEGMENT_DRIFT)}
_CHANGES = re.compile(r"(?:insert into|delete from|update|merge into) ([a-z_.]+)")


def chains() -> Iterator[Sequence[str]]:
    """Every order in which files run; a temporary step runs in that of a table."""
    for file in headers():
        if "/tmp_" not in file and not file.startswith("erasure/"):
            yield chain(file)
    yield from ERASURES
    yield from FOLLOWED
    yield KEYED


@cache
def steps_before(file: str) -> tuple[str, ...]:
    """What has run when the file runs, for the first time."""
    (first, *_) = [tuple(steps[: steps.index(file)]) for steps in chains() if file in steps]
    return first


def fails(header: Header, names: Sequence[str], others: dict[str, str]) -> str | None:
    """Why the file does not run on stand-ins of these names alone; None when it does."""
    with with_only(names, others) as connection:
        try:
            run(connection, header.file)
        except duckdb.Error as error:
            return str(error)
    return None


@pytest.mark.parametrize("file", list(headers()))
def test_a_file_runs_with_what_it_needs_alone_and_not_without_any_of_it(file: str):
    header = headers()[file]
    with empty_warehouse() as connection:
        for step in steps_before(file):
            run(connection, step)
        others = dict(stand_ins(connection))
    needed = [*header.tables, *header.relations]
    assert fails(header, needed, others) is None
    unneeded = [name for name in needed if fails(header, [one for one in needed if one != name], others) is None]
    assert unneeded == []


@pytest.mark.parametrize("file", list(headers()))
def test_a_file_gives_and_changes_what_it_says_and_nothing_else(file: str):
    header = headers()[file]
    with empty_warehouse() as connection:
        for step in steps_before(file):
            run(connection, step)
        before = standing(connection)
        run(connection, file)
        given = standing(connection) - before
        statements = connection.extract_statements(read_sql(file))
    texts = [re.sub(r"--.*", "", statement.query).strip() for statement in statements]
    changed = {found[1] for text in texts if (found := _CHANGES.match(text))}
    assert changed == set(header.changes)
    assert {name for statement in statements for name in statement.named_parameters} == set(header.parameters)
    selects = [text for text in texts if text.startswith(("select", "with", "from"))]
    if selects:
        assert given <= set(header.made)
        assert len(texts) == len(header.gives) == 1
    else:
        assert given == set(header.made)


def test_no_more_parameters_are_tried_than_files_have():
    assert {name for header in headers().values() for name in header.parameters} == PARAMETERS.keys()


@pytest.mark.parametrize("table", [name for name in TABLES if name not in FITTED])
def test_the_rows_of_a_table_are_those_of_the_file_of_its_name(table: str):
    if not table.startswith("raw."):
        assert headers()[file_of(table)].gives == (table,)


@pytest.mark.parametrize("table", sorted(FITTED))
def test_what_python_fits_has_one_file_of_customers(table: str):
    assert [header.folder for header in headers().values() if table in header.made] == ["models"]


def test_what_python_makes_stands_for_tables_that_there_are():
    assert set(FROM_PYTHON.values()) - {""} <= STORED.keys()
    scopes = {name: table for name, table in FROM_PYTHON.items() if name.startswith("scoped_")}
    assert scopes == {scoped(STORED[table]): table for table in scopes.values()}


def test_the_steps_of_the_segments_are_those_of_the_customers_as_they_are_now():
    assert files_before("gold/customer_scores") == [
        "gold/tmp_current_customers",
        "gold/tmp_trait_macros",
        "gold/tmp_traits",
        "gold/tmp_season",
        "gold/tmp_levels",
        "gold/tmp_purchase_forecasts",
        "gold/tmp_scored",
    ]


def test_the_steps_of_the_snapshots_are_those_of_the_customers_of_every_date():
    steps = chain("gold/customer_openings")
    assert "gold/tmp_snapshots" in steps
    assert "gold/tmp_current_customers" not in steps


@pytest.mark.parametrize(
    ("contract", "query"),
    [
        (CUSTOMER_SEGMENTS, queries.segments_query(Settings())),
        (SILVER_ORDERS, queries.silver_batch_query(Settings())),
    ],
    ids=lambda value: getattr(value, "full_name", ""),
)
def test_python_computes_every_step_that_has_no_formula(contract, query):
    computed = {file for file in steps_of(contract, query) if isinstance(file, str) and headers()[file].is_computed}
    assert computed == set()


def test_orders_note_whose_they_are_in_the_same_transaction():
    steps = files_before("silver/orders", "silver/duplicate_orders", "silver/rejected_orders")
    assert steps[-1] == "silver/order_changes"


def _with(monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    """Let these be all files there are."""
    found = {file: parse_header(file, text) for file, text in texts.items()}
    monkeypatch.setattr("bridgecart_assets.sql.chain.headers", lambda: found)


def test_files_that_need_each_other_are_told(monkeypatch: pytest.MonkeyPatch):
    _with(monkeypatch, a="-- A.\n-- needs: two\n-- gives: one", b="-- B.\n-- needs: one\n-- gives: two")
    with pytest.raises(HeaderError, match="need each other: a, b"):
        chain("a")


def test_a_need_that_no_file_gives_is_told(monkeypatch: pytest.MonkeyPatch):
    _with(monkeypatch, a="-- A.\n-- needs: two\n-- gives: one")
    with pytest.raises(HeaderError, match="needs two, which 0 files give"):
        chain("a")


def test_of_two_files_that_give_the_same_the_one_that_is_named_runs(monkeypatch: pytest.MonkeyPatch):
    texts = {name: f"-- {name}.\n-- needs: nothing\n-- gives: one" for name in ("b", "c")}
    _with(monkeypatch, a="-- A.\n-- needs: one\n-- gives: rows", **texts)
    with pytest.raises(HeaderError, match="which 2 files give"):
        chain("a")
    _with(monkeypatch, a="-- A.\n-- needs: one\n-- gives: rows\n-- through: c", **texts)
    assert chain("a") == ["c", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "-- One.\nselect 1",
        "-- One.\n-- needs: nothing\nselect 1",
        "-- needs: nothing\n-- gives: rows\nselect 1",
        "-- One.\n-- needs: nothing\n-- gives: rows\n-- More of it.\nselect 1",
    ],
)
def test_a_header_that_is_not_whole_is_refused(text: str):
    with pytest.raises(HeaderError, match=r"sql/one\.sql"):
        parse_header("one", text)


def test_a_list_goes_on_after_a_comma():
    header = parse_header("a/one", "-- One. More.\n-- needs: x,\n--     y(), raw.orders, $z\n-- gives: rows for t\n")
    assert header == Header("a/one", "One.", ("x", "y()", "raw.orders", "$z"), ("rows for t",))
    assert (header.relations, header.tables, header.parameters) == (("x", "y()"), ("raw.orders",), ("z",))
    assert (header.made, header.is_computed, header.folder) == (("t",), True, "a")


def test_migrations_need_no_header():
    assert not [file for file in headers() if "migrations" in file]
    assert headers_module.headers() is headers()


def test_the_empty_warehouse_of_these_tests_stays_empty():
    with empty_warehouse() as connection:
        assert {name for name in STORED if connection.execute(f"select 1 from {name} limit 1").fetchall()} == set()
