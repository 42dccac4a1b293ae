"""docs/sources.yml: what dbt is told of the published tables is what their files hold."""

from pathlib import Path
from typing import Any

import duckdb
import yaml
from jinja2 import Template

from bridgecart_assets.contracts import TABLES
from bridgecart_assets.warehouse.storage.database import Warehouse
from bridgecart_assets_tests.dbt_sources import sources
from bridgecart_assets_tests.docs import SOURCES


def located(data_dir: Path) -> dict[str, dict[str, Any]]:
    """The tables by the file that dbt and dbt-duckdb make of their source's location."""
    found: dict[str, dict[str, Any]] = {}
    for source in yaml.safe_load(SOURCES.read_text(encoding="utf-8"))["sources"]:
        location = Template(source["config"]["meta"]["external_location"]).render(env_var=lambda *_: str(data_dir))
        found |= {location.format(name=table["name"]): table for table in source["tables"]}
    return found


def test_the_file_is_that_of_the_contracts():
    assert SOURCES.read_text(encoding="utf-8") == sources(), "run: python -m bridgecart_assets_tests.docs"


def test_every_published_file_is_there_with_its_columns_and_its_tests_hold(filled: Warehouse, data_dir: Path):
    tables = located(data_dir)
    assert set(tables) == set(map(str, (data_dir / "published").glob("*/*.parquet")))
    assert len(tables) == len([table for table in TABLES.values() if table.published])
    for file, table in tables.items():
        rows = duckdb.read_parquet(file)
        assert [(c["name"], c["data_type"]) for c in table["columns"]] == list(
            zip(rows.columns, map(str, rows.types), strict=True)
        )
        for column in table["columns"]:
            tests, values = column.get("data_tests", []), [value for (value,) in rows.select(column["name"]).fetchall()]
            assert None not in values or "not_null" not in tests
            assert len(set(values)) == len(values) or "unique" not in tests


def test_what_is_never_null_and_what_is_a_key_of_its_own_is_tested():
    columns = {c["name"]: c for table in located(Path("data")).values() for c in table["columns"]}
    assert columns["customer_id"]["data_tests"] == ["not_null"], "in gold.segment_membership it is not alone the key"
    (segments,) = [table for file, table in located(Path("data")).items() if file.endswith("customer_segments.parquet")]
    assert [(c["name"], c["data_tests"]) for c in segments["columns"] if "unique" in c.get("data_tests", [])] == [
        ("customer_id", ["not_null", "unique"])
    ]
    assert "data_tests" not in columns["churn_rate"]
