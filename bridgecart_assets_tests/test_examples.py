"""The examples below docs/ run as they stand there, on the published tables of a shop."""

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from nbformat import NotebookNode

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import KPIS
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.published_kpis import kpi_rows, latest_matured, latest_period
from bridgecart_assets_tests.integration.processes import ROOT
from bridgecart_assets_tests.notebook import CHART, published_shop, read_notebook, run

WORKSPACE = ROOT / "docs" / "examples" / "workspace"
WIN_BACK = dg.AssetKey(["campaigns", "win_back"])
READ = {dg.AssetKey(["kpi", "churn_rate"]), dg.AssetKey(["gold", "customer_segments"])}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return published_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def campaigns(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    """The other project, where BridgeCart's tables are those of the shop."""
    monkeypatch.setenv("BRIDGECART_DATA_DIR", str(shop.data_dir))
    spec = spec_from_file_location("campaigns", WORKSPACE / "campaigns.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "campaigns", module)
    spec.loader.exec_module(module)
    defs: dg.Definitions = module.defs
    return defs


def test_dagster_loads_both_projects_and_finds_in_one_what_the_other_depends_on(instance: dg.DagsterInstance):
    origins = [in_process(one) for one in location_origins_from_yaml_paths([str(WORKSPACE / "workspace.yaml")])]
    with WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origins)) as workspace:
        request = workspace.create_request_context()
        assert [entry.load_error for entry in request.get_code_location_entries().values()] == [None, None]
        graph = request.asset_graph
        assert graph.get(WIN_BACK).parent_keys == READ
        homes = {key: graph.get(key).resolve_to_singular_repo_scoped_node() for key in {WIN_BACK} | READ}
        assert {key: node.repository_handle.location_name for key, node in homes.items()} == {
            WIN_BACK: "campaigns",
            **dict.fromkeys(READ, "bridgecart"),
        }
        assert all(graph.get(key).is_materializable for key in READ)


def in_process(origin: object) -> InProcessCodeLocationOrigin:
    """A location of a workspace file, without a process of its own."""
    assert isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin)
    return InProcessCodeLocationOrigin(origin.loadable_target_origin, location_name=origin.location_name)


def test_the_asset_of_the_other_project_is_made_of_the_published_tables(campaigns: dg.Definitions, shop: Settings):
    done = campaigns.resolve_implicit_global_asset_job_def().execute_in_process()
    found = done.output_for_node("campaigns__win_back")
    with warehouse_from_settings(shop).reading() as connection:
        expected = connection.execute(
            """
            select customer_id, segment_key, predicted_clv::double
            from gold.customer_segments
            where lifecycle = 'at risk' and segment_key in (
                select segment_key
                from kpi.churn_rate
                where churn_rate > 0.2 and period = (select max(period) from kpi.churn_rate where matured)
            )
            order by predicted_clv desc, customer_id
            """
        ).fetchall()
    assert len(expected) > 1
    assert list(found.itertuples(index=False, name=None)) == expected


@pytest.mark.filterwarnings("ignore:Parameter `include_sources`")  # Dagster's own call.
def test_a_refresh_of_the_tables_asks_for_the_asset_once(campaigns: dg.Definitions):
    with dg.DagsterInstance.ephemeral() as instance:
        before = dg.evaluate_automation_conditions(campaigns, instance)
        for key in READ:
            instance.report_runless_asset_event(dg.AssetMaterialization(key))
        refreshed = dg.evaluate_automation_conditions(campaigns, instance, cursor=before.cursor)
        after = dg.evaluate_automation_conditions(campaigns, instance, cursor=refreshed.cursor)
    assert [one.get_num_requested(WIN_BACK) for one in (before, refreshed, after)] == [0, 1, 0]


@pytest.fixture(scope="module")
def done(shop: Settings) -> NotebookNode:
    """The notebook, run."""
    return run(read_notebook(), shop.data_dir)


def test_the_notebook_shows_what_stands_in_it(done: NotebookNode):
    assert shown(read_notebook()) == shown(done), "run: python -m bridgecart_assets_tests.notebook"


def shown(notebook: NotebookNode) -> list[object]:
    """All that its cells show; of a chart what it says of each mark, because its letters are as wide as a machine's."""
    seen: list[object] = []
    for cell in notebook.cells:
        seen.append(cell.source)
        for output in cell.get("outputs", []):
            drawn = output.get("data", {}).get(CHART)
            seen.append(re.findall('aria-label="([^"]+)"', drawn) if drawn else output)
    return seen


def test_its_kpis_are_those_of_the_command_line(done: NotebookNode, shop: Settings):
    rows = kpi_rows(shop.published_dir)
    period = str(latest_period(rows))
    _, churn = latest_matured(next(kpi for kpi in KPIS if kpi.matures), rows, period)
    expected = [
        [
            row["segment_key"],
            row["segment"],
            *map(percent, (row["clv_growth"], churn[row["segment_key"]])),
            figure(row["average_order_value"]),
            percent(row["sales_contribution"]),
        ]
        for row in rows
        if row["period"] == period
    ]
    (table,) = [html for html in results(done, "text/html") if "CLV growth" in html]
    assert [re.findall("<t[hd]>(.*?)</t[hd]>", row) for row in table.split("<tr>")[2:]] == expected


def test_its_charts_have_a_mark_for_every_figure(done: NotebookNode, shop: Settings):
    rows = kpi_rows(shop.published_dir)
    last_year = sorted({row["period"] for row in rows if row["is_complete"]})[-12:]
    sales, churn = results(done, CHART)
    assert sales.count("; net sales: ") == len([row for row in rows if row["period"] >= last_year[0]])
    points = [row["segment_key"] for row in rows if row["churn_rate"] is not None]
    assert churn.count("; churn rate: ") == len(points) + len({*points}), "a point each, and the lines"


def results(notebook: NotebookNode, kind: str) -> list[str]:
    """What its cells show in this form, in their order."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.data[kind] for output in outputs if kind in output.get("data", {})]


def percent(share: float | None) -> str:
    return figure(None if share is None else 100 * share)


def figure(value: float | None) -> str:
    return "NaN" if value is None else f"{value:,.1f}"
