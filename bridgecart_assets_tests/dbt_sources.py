"""The published tables as sources of dbt, generated into docs/sources.yml."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from bridgecart_assets.contracts import TABLES, Column, Contract

ABOUT = """\
# The published tables as sources of dbt: docs/tools.md says how to use them.
# Generated from bridgecart_assets/contracts/ by `python -m bridgecart_assets_tests.docs`.
"""
# dbt puts in the variable when it reads the file, dbt-duckdb the name of each table.
LOCATION = "{{{{ env_var('BRIDGECART_DATA_DIR', 'data') }}}}/published/{schema}/{{name}}.parquet"


def sources() -> str:
    """One source a schema, with what the contracts say of each table and column."""
    published = [table for table in TABLES.values() if table.published]
    schemas = dict.fromkeys(table.schema for table in published)
    document = {
        "version": 2,
        "sources": [_source(schema, [one for one in published if one.schema == schema]) for schema in schemas],
    }
    return ABOUT + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _source(schema: str, tables: Sequence[Contract]) -> Mapping[str, Any]:
    return {
        "name": f"bridgecart_{schema}",
        "config": {"meta": {"external_location": LOCATION.format(schema=schema)}},
        "tables": [
            {
                "name": table.name,
                "description": f"{table.meaning} Key: {', '.join(table.key)}.",
                "columns": [_column(column, is_key=table.key == (column.name,)) for column in table.columns],
            }
            for table in tables
        ],
    }


def _column(column: Column, *, is_key: bool) -> Mapping[str, Any]:
    tests = [*([] if column.nullable else ["not_null"]), *(["unique"] if is_key else [])]
    about = {"name": column.name, "description": column.meaning, "data_type": column.type}
    return {**about, "data_tests": tests} if tests else about
