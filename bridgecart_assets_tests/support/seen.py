"""What people and programs see of a warehouse once it is refitted, as JSON: for a package that a test has changed.

`python -m bridgecart_assets_tests.support.seen`, with the settings of the environment.
"""

import json
import sys
from typing import Any

import dagster as dg

from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.commands.ci_summary import markdown
from bridgecart_assets.commands.run_pipeline import Summary
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.models.comparison import COLUMNS
from bridgecart_assets.sql import read_sql
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.published_kpis import kpi_rows
from bridgecart_assets_tests import docs

AGREES = "metrics_agree_with_kpis"


def seen() -> dict[str, Any]:
    """Checks, metadata and columns of the assets after a run; the CI summary; the data dictionary."""
    settings = load_settings()
    with dg.DagsterInstance.ephemeral() as instance:
        run = build_defs().resolve_job_def("refit_segments").execute_in_process(instance=instance)
    made = [event.step_materialization_data.materialization for event in run.get_asset_materialization_events()]
    evaluated = run.get_asset_check_evaluations()
    return {
        "checks": {f"{check.asset_key.to_user_string()} {check.check_name}": check.passed for check in evaluated},
        "metadata": {
            event.asset_key.to_user_string(): {name: str(value.value) for name, value in event.metadata.items()}
            for event in made
        },
        "summary": markdown(Summary(), kpi_rows(settings.published_dir)),
        "compared": list(COLUMNS),
        "dictionary": docs.contracts(),
    }


def found_when_wrong(statement: str) -> int:
    """How many rows break the history's agreement with the KPIs once a statement has changed the warehouse."""
    with warehouse_from_settings(load_settings()).transaction() as connection:
        connection.execute(statement)
        return len(connection.execute(read_sql(f"checks/{AGREES}")).fetchall())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(found_when_wrong(sys.argv[1]) if sys.argv[1:] else seen()))
