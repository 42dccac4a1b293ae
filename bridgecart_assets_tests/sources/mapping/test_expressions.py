"""An expression of a mapping may use functions of its record, and nothing else; what is refused says why."""

from functools import cache

import duckdb
import pytest

from bridgecart_assets.sources.mapping.allowed import FUNCTIONS
from bridgecart_assets.sources.mapping.compiling import compiled
from bridgecart_assets.sources.mapping.errors import MappingError
from bridgecart_assets.sources.mapping.expressions import Expression
from bridgecart_assets.sources.mapping.sandbox import sandbox
from bridgecart_assets_tests.sources.mapping.records import mapping_of

# What makes much of little: ten times as long with each, from a constant or from the record.
TENFOLD = "replace({}, 'a', 'aaaaaaaaaa')"
TWICE = "list_transform([{}], lambda {}: {} || {})[1]"


def nested(pattern: str, levels: int, inner: str = "value.a") -> str:
    """An expression around an expression, again and again."""
    for level in range(levels):
        inner = pattern.format(inner, *[f"text{level}"] * (pattern.count("{}") - 1))
    return inner


@cache
def connection() -> duckdb.DuckDBPyConnection:
    return sandbox("UTC")


def compiled_name(text: str) -> Expression:
    """The expression of a customer's name."""
    return compiled(connection(), "mapping.toml", {"name": text}, None).fields["name"]


def refusal(text: str) -> str:
    """Why an expression is refused."""
    with pytest.raises(MappingError) as raised:
        compiled_name(text)
    (line,) = str(raised.value).splitlines()
    return line.removeprefix("mapping.toml [order] name: ")


@pytest.mark.parametrize(
    "text",
    [
        *("now()", "random()", "uuid()", "today()", "getenv('HOME')", "nextval('s')", "current_setting('x')"),
        *("read_text('/etc/passwd')", "query('select 1')", "getvariable('x')", "pg_sleep(1)", "error('x')"),
        *("sum(value.a)", "count(*)", "first(value.a order by value.b)", "unnest([1])", "list_aggregate([1], 'sum')"),
        *("repeat('x', 1000000000)", "range(1000000000000)", "generate_series(1, 9)", "lpad(value.a, 9999, 'x')"),
        *("list_resize([1], 1000000000)", "format('{:9999999999}', 1)", "printf('%9d', 1)", "value.a.now()"),
        *("main.lower(value.a)", "system.main.lower(value.a)"),
    ],
)
def test_a_function_that_is_not_listed_is_refused_by_its_name(text: str):
    assert "() is not allowed in it" in refusal(text)


@pytest.mark.parametrize(
    "text",
    ["current_date", "current_timestamp", "localtime", "user", "after.id", "records.value", "elem"],
)
def test_a_name_that_is_nothing_of_the_record_is_refused(text: str):
    assert refusal(text) == f"{text} begins with none of value, key, headers, timestamp"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(select content from read_text('/etc/passwd'))", "a subquery is not allowed in it"),
        ("exists(select 1)", "a subquery is not allowed in it"),
        ("value.a = any([1, 2])", "a subquery is not allowed in it"),
        ("row_number() over ()", "a window is not allowed in it"),
        ("sum(value.a) over ()", "a window is not allowed in it"),
        ("value.*", "a star is not allowed in it"),
        ("columns('a')", "a star is not allowed in it"),
        ("$1", "a parameter is not allowed in it"),
        ("?", "a parameter is not allowed in it"),
        ("#1", "a positional reference is not allowed in it"),
        ("value.a collate nocase", "a collate is not allowed in it"),
        ("lambda x: x", "a lambda is allowed in list_transform and list_filter only"),
        ("value.a -> 'x'", "a lambda is allowed in list_transform and list_filter only"),
        ("age(timestamp)", "age() is allowed with 2 arguments only"),
        ("lower(value.a order by 1)", "lower() is no aggregate here"),
        ("lower(value.a) filter (where true)", "lower() is no aggregate here"),
        ("value.a::json", "a cast to JSON is not allowed in it"),
        ("value.a::enum('a')", "a cast to ENUM is not allowed in it"),
        ("value.a::struct(a json)", "a cast to STRUCT is not allowed in it"),
        ("value.a::mytype", "a cast to MYTYPE is not allowed in it"),
        ("value.a::main.varchar", "a cast to VARCHAR is not allowed in it"),
        ("grouping(value.a)", "grouping function is not allowed in it"),
    ],
)
def test_what_is_no_expression_of_one_record_is_refused(text: str, why: str):
    assert refusal(text) == why


@pytest.mark.parametrize(
    "text",
    [
        *("1, 2", "1) as a, (2", "1) from (values (1)) t(a) --", "1) from read_text('/etc/passwd') --", "1) limit (1"),
        *("1) where (true", "1) group by (1", "1) order by (1", "1) union all select (2", "1) having (true"),
        *("1) qualify (true", "1) using sample (1", "1); select (2", "1); select (2"),
    ],
)
def test_an_expression_that_ends_its_parenthesis_is_refused(text: str):
    assert refusal(text) in ("it is more than one expression", "row() is not allowed in it") or "no SQL" in refusal(
        text
    )


@pytest.mark.parametrize(
    "text",
    [
        *("1; drop table records", "/* value.a", "value.a as x", "'", "value.", "1 /* */ 2", "(", "(1"),
    ],
)
def test_what_is_no_sql_is_refused_in_one_line(text: str):
    assert refusal(text).startswith("it is no SQL expression (")


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_expression_is_not_empty(text: str):
    assert refusal(text) == "it is empty"


def test_a_comment_ends_with_the_expression():
    assert compiled_name("value.a -- the name").sql == '"value".a'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("value.customer || value.customer.id", "value.customer"),
        ("value.customer.id || value.customer", "value.customer"),
    ],
)
def test_a_path_is_read_as_a_whole_or_in_parts(text: str, path: str):
    assert refusal(text) == f"{path} is used as a whole and in parts"


def test_whether_two_expressions_read_a_path_alike_is_asked_of_all_of_them():
    with pytest.raises(MappingError) as raised:
        mapping_of({"purchase_amount": "value.order", "name": "value.order.name"})
    assert str(raised.value) == "mapping.toml [order] name: value.order is used as a whole and in parts"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("value.lines[1].sku || value.lines", "value.lines is used as a whole and as a list"),
        ("value.lines.sku || value.lines[1]", "value.lines is used in parts and as a list"),
        ("value.Name || value.name", "value has Name and name, which differ in capitals only"),
        ("value", "value is read in another way than it can be; for example value.order_id"),
        ("headers", "headers is read in another way than it can be; for example headers['type']"),
        ("timestamp.a", "timestamp is read in another way than it can be; for example timestamp"),
        ("[value.a for value in value.lines][1]", "value is a name already"),
        ("list_transform(value.a, lambda x, i: x)[1]", "a lambda has one parameter here"),
    ],
)
def test_a_path_that_is_read_in_two_ways_is_refused(text: str, why: str):
    assert refusal(text) == why


def test_whether_something_is_there_can_be_asked_beside_its_parts():
    compiled_name("case when value.after is not null then value.after.name else value.before.name end")


@pytest.mark.parametrize(
    "text",
    [
        nested(TENFOLD, 12),
        nested(TENFOLD, 12, "'a'"),
        nested(TWICE, 30),
        nested("hex({})", 12),
        nested("regexp_replace({}, '', 'aaaaaaaaaa', 'g')", 12),
        "[value.a for line in value.lines][1]",
        "[value.a || line.sku for line in value.lines][1]",
        "[[other.sku for other in value.lines] for line in value.lines][1][1]",
        f"['{'a' * 9_000}' for line in value.lines][1]",
        f"array_to_string(value.tags, '{'a' * 9_000}')",
        f"concat_ws('{'a' * 9_000}', value.tags)",
    ],
)
def test_an_expression_that_could_fill_the_memory_is_refused(text: str):
    assert "it could make more than 100 times of a record" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        " + ".join(f"value.a{number}::int" for number in range(150)),
        " or ".join(f"value.a = '{number}'" for number in range(150)),
        "coalesce(" + ", ".join(f"value.a{number}" for number in range(300)) + ")",
        "[line.a || '-' || line.b || '-' || line.c for line in value.lines][1]",
        "replace(replace(value.a, '.', ''), ',', '.')",
        "total_of([line.a::int * line.b::int * value.rate::int for line in value.lines])",
    ],
)
def test_a_long_expression_that_makes_little_is_allowed(text: str):
    compiled_name(text)


def test_what_replaces_a_text_has_to_be_known():
    assert refusal("replace(value.a, 'a', value.b)") == "what it replaces or joins by has to be a text in quotes"


def test_an_expression_has_a_longest_length():
    assert refusal("'" + "x" * 1_000_000 + "'") == "it has 1,000,002 characters; at most 10,000 are allowed"


@pytest.mark.parametrize(("opening", "closing"), [("(", ")"), ("abs(", ")"), ("not ", ""), ("- ", ""), ("[", "]")])
def test_an_expression_has_a_deepest_nesting(opening: str, closing: str):
    levels = 9_000 // len(opening + closing)
    assert len(refusal(opening * levels + "1" + closing * levels)) < 300


def test_a_pattern_that_ruins_other_engines_is_no_matter():
    compiled_name("regexp_extract(value.a, '^(a+)+$')")


def test_every_function_that_is_allowed_is_one_and_the_same_tomorrow():
    with sandbox("UTC") as connection:
        rows = connection.sql(
            "select distinct function_name from duckdb_functions() "
            "where function_type in ('scalar', 'macro') and stability is distinct from 'VOLATILE' "
            "and not has_side_effects is true"
        ).fetchall()
    known = {name for (name,) in rows}
    # Syntax of its own in DuckDB's tree.
    assert FUNCTIONS - known == {"nullif", "if"} - known


@pytest.mark.parametrize("text", ["value.name", "lower(value.a)", "[l.a for l in value.lines if l.b > '1'][1]"])
def test_what_runs_is_made_of_the_tree_that_was_vetted(text: str):
    sql = compiled_name(text).sql
    assert compiled_name(sql).sql == sql


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1 - (2 - 3)",
            "-2.50",
            "7 // 2 * 2",
            "7 % 4 - -1",
            "not true or true and false",
            "1 = 1 is distinct from false",
        ),
        *("'it''s'", "'a' || 1", "'ab' not like 'a_'", "'AB' ilike 'a%'", "'x' in ('y', 'x')", "2 not between 1 and 3"),
        *("try_cast('x' as int) is null", "'1.005'::decimal(18, 2)", "1.5::double", "null::int", "x'00ff'", "1e3"),
        *(
            "case 2 when 1 then 'a' when 2 then 'b' end",
            "case when false then 1 end",
            "coalesce(null, 3)",
            "if(true, 1, 2)",
        ),
        *("[1, 2, 3][2:]", "[1, 2, 3][:-2]", "[1, 2, 3][-1]", "[x * 2 for x in [1, 2, 3] if x > 1]", "{'a': 1}.a"),
        *("timestamptz '2026-01-01 10:00:00+02' at time zone 'Asia/Kolkata'", "date '2026-01-01' + interval 2 months"),
        *("extract(year from date '2026-01-01')", "epoch_us(timestamptz '2026-01-01 00:00:00+00')", "trim('  a ')"),
        *(
            "substring('abcd' from 2 for 2)",
            "position('c' in 'abc')",
            "'b' ~ 'a|b'",
            "'ab' similar to 'a.'",
            "'a' <> 'b'",
        ),
        *(
            "nullif('', '')",
            "ifnull(null, 2)",
            "(1 + 2) * 3",
            "cast('2026-01-01' as date)",
            "true is not null",
            "2::varchar",
        ),
        *(
            "list_transform([1, 2], lambda x: list_transform([3], lambda y: x + y))",
            "regexp_replace('aa', 'a', 'b', 'g')",
        ),
    ],
)
def test_what_runs_says_the_same_as_what_was_written(text: str):
    with duckdb.connect() as plain:
        plain.execute("set TimeZone = 'UTC'")
        sql = compiled_name(text).sql
        assert repr(plain.sql(f"select {sql}").fetchall()) == repr(plain.sql(f"select {text}").fetchall())
