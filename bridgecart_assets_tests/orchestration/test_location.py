"""The code location has one name, and what people switched under its former name stays so."""

import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.instance import dagster_instance
from bridgecart_assets.orchestration.location import LOCATION, MODULE, job_origin, keep_sensor_switches
from bridgecart_assets_tests.support import compose

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = build_defs().get_repository_def()


def sensor_at(location: str, name: str = "orders_sensor") -> RemoteInstigatorOrigin:
    place = GrpcServerCodeLocationOrigin(host="localhost", socket="/gone", location_name=location)
    return RemoteRepositoryOrigin(place, REPOSITORY.name).get_instigator_origin(name)


def state(origin: RemoteInstigatorOrigin, status: InstigatorStatus, cursor: str = "here") -> InstigatorState:
    return InstigatorState(origin, InstigatorType.SENSOR, status, SensorInstigatorData(cursor=cursor))


def kept(instance: dg.DagsterInstance) -> dict[tuple[str, str], InstigatorStatus]:
    return {(one.selector.location_name, one.instigator_name): one.status for one in instance.all_instigator_state()}


@pytest.mark.parametrize("file", ["workspace.yaml", "deploy/workspace.yaml"])
def test_every_workspace_file_has_the_name(file: str) -> None:
    ((place,),) = [load.values() for load in yaml.safe_load((ROOT / file).read_text())["load_from"]]
    assert place["location_name"] == LOCATION
    assert place.get("module_name", MODULE) == MODULE


def test_both_tables_of_pyproject_and_the_compose_file_have_it_too() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert tool["dagster"] == {"module_name": MODULE, "code_location_name": LOCATION}
    assert tool["dg"]["project"]["code_location_name"] == LOCATION
    assert tool["dg"]["project"]["code_location_target_module"] == MODULE
    words = compose.services()["code"]["command"]
    assert words[words.index("--location-name") + 1] == LOCATION
    assert MODULE in words


def test_a_job_lives_where_the_webserver_looks_for_it() -> None:
    origin = job_origin(REPOSITORY, "refresh").repository_origin
    served = GrpcServerCodeLocationOrigin(host="localhost", socket="/somewhere", location_name=LOCATION)
    assert origin.get_label() == f"__repository__@{LOCATION}"
    assert origin.get_selector_id() == RemoteRepositoryOrigin(served, "__repository__").get_selector_id()


@pytest.mark.parametrize("status", [InstigatorStatus.STOPPED, InstigatorStatus.RUNNING])
def test_a_sensor_that_was_switched_under_the_former_name_stays_so(
    settings: Settings, status: InstigatorStatus
) -> None:
    with dagster_instance(settings) as instance:
        instance.add_instigator_state(state(sensor_at(MODULE), status))
        instance.add_instigator_state(state(sensor_at("somebody_elses"), InstigatorStatus.RUNNING))
        keep_sensor_switches(instance)
        keep_sensor_switches(instance)
        assert kept(instance) == {
            (LOCATION, "orders_sensor"): status,
            ("somebody_elses", "orders_sensor"): InstigatorStatus.RUNNING,
        }
        now = sensor_at(LOCATION)
        found = instance.get_instigator_state(now.get_id(), state(now, status).selector_id)
        assert found is not None
        assert found.sensor_instigator_data is not None
        assert found.sensor_instigator_data.cursor == "here"


def test_what_was_switched_under_the_present_name_is_not_overruled_by_the_former_one(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        instance.add_instigator_state(state(sensor_at(LOCATION), InstigatorStatus.STOPPED))
        instance.add_instigator_state(state(sensor_at(MODULE), InstigatorStatus.RUNNING))
        keep_sensor_switches(instance)
        assert kept(instance) == {(LOCATION, "orders_sensor"): InstigatorStatus.STOPPED}
