"""Dagster's code location: one name for it in every process, so that runs and sensors are the same ones everywhere."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

    from bridgecart_assets.orchestration.storage.dagster_internals import RemoteJobOrigin

LOCATION = "bridgecart"
MODULE = "bridgecart_assets.definitions"
# As `bridgecart up` named it until now.
_FORMER = MODULE


def job_origin(repository: "dg.RepositoryDefinition", job: str) -> "RemoteJobOrigin":
    """Origin of a job as the UI sees it; a run without it is in no list of the job's runs, nor in the timeline."""
    from bridgecart_assets.orchestration.storage.dagster_internals import (
        RegisteredCodeLocationOrigin,
        RemoteRepositoryOrigin,
    )

    return RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(LOCATION), repository.name).get_job_origin(job)


def keep_sensor_switches(instance: "dg.DagsterInstance") -> None:
    """Sensors stay on or off as people switched them under the location's former name."""
    from bridgecart_assets.orchestration.storage.dagster_internals import (
        InstigatorState,
        RegisteredCodeLocationOrigin,
        RemoteRepositoryOrigin,
    )

    for former in instance.all_instigator_state():
        if former.repository_selector.location_name != _FORMER:
            continue
        repository = RemoteRepositoryOrigin(
            RegisteredCodeLocationOrigin(LOCATION), former.repository_selector.repository_name
        )
        state = InstigatorState(
            repository.get_instigator_origin(former.instigator_name),
            former.instigator_type,
            former.status,
            former.instigator_data,
        )
        if instance.get_instigator_state(state.instigator_origin_id, state.selector_id) is None:
            instance.add_instigator_state(state)
        instance.delete_instigator_state(former.instigator_origin_id, former.selector_id)
