"""Pipeline state that is not in the warehouse: records that wait in the topic, checks that failed."""

from dataclasses import dataclass
from typing import Any

import dagster as dg

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.checks import check_keys
from bridgecart_assets.orchestration.storage.dagster_internals import AssetCheckExecutionRecordStatus
from bridgecart_assets.sources.kafka.errors import KafkaFailure
from bridgecart_assets.sources.kafka.from_settings import kafka_connection
from bridgecart_assets.sources.kafka.offsets import lag
from bridgecart_assets.sources.kafka.positions import topic_state
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.ingest.ledger import load_position

_EVALUATED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}


@dataclass(frozen=True)
class Health:
    """State of topic and checks.

    Attributes:
        kafka: the topic, or why it could not be read.
        lag: records of the topic that no batch has taken in; None where it could not be read.
        checks: how many checks have ever been evaluated.
        waiting_for_transactions: records that no batch can take in before an open transaction ends; None as the lag.
        failed_checks: `severity`, `asset`, `check` and what it `says`, of those whose latest evaluation failed.

    """

    kafka: str
    lag: int | None
    checks: int
    failed_checks: list[dict[str, str]]
    waiting_for_transactions: int | None = None

    def for_report(self) -> dict[str, Any]:
        """The part that a page for other people may show: not where the broker is."""
        return {
            "lag": self.lag,
            "waiting_for_transactions": self.waiting_for_transactions,
            "checks": self.checks,
            "failed_checks": self.failed_checks,
        }


def read_health(settings: Settings, instance: dg.DagsterInstance | None) -> Health:
    """Health as of now; without an instance no check has been evaluated."""
    kafka, unread, waiting = _lag(settings)
    checks, failed = read_checks(instance) if instance is not None else (0, [])
    return Health(kafka, unread, checks, failed, waiting)


def read_checks(instance: dg.DagsterInstance) -> tuple[int, list[dict[str, str]]]:
    """Number of checks that were ever evaluated, and those whose latest evaluation failed, errors first."""
    evaluated = _latest_evaluations(instance)
    failed = [_failed(evaluation) for evaluation in evaluated if not evaluation.passed]
    return len(evaluated), sorted(failed, key=lambda check: (check["severity"], check["asset"], check["check"]))


def _lag(settings: Settings) -> tuple[str, int | None, int | None]:
    position = load_position(warehouse_from_settings(settings))
    try:
        connection = kafka_connection(settings)
        state = topic_state(connection, position.known)
        unread = lag(position.committed(state.topic_id), state, fail_on_data_loss=settings.fail_on_data_loss)
    except (KafkaFailure, BridgeCartError) as error:
        return str(error), None, None
    says = f"topic {state.topic} at {connection.bootstrap_servers}"
    return says, sum(unread.values()), sum(state.pending.values())


def _latest_evaluations(instance: dg.DagsterInstance) -> list[dg.AssetCheckEvaluation]:
    storage = instance.event_log_storage
    latest = storage.get_latest_asset_check_execution_by_key(check_keys())
    # Of a check that a run is about to make, or never came to, the evaluation before counts.
    records = [
        next(iter(storage.get_asset_check_execution_history(key, limit=1, status=_EVALUATED)), record)
        if record.status == AssetCheckExecutionRecordStatus.PLANNED
        else record
        for key, record in latest.items()
    ]
    found = [record.event.asset_check_evaluation for record in records if record.event is not None]
    return [evaluation for evaluation in found if evaluation is not None]


def _failed(evaluation: dg.AssetCheckEvaluation) -> dict[str, str]:
    return {
        "severity": evaluation.severity.value,
        "asset": evaluation.asset_key.to_user_string(),
        "check": evaluation.check_name,
        "says": evaluation.description or "",
    }
