"""What Dagster's daemon does with a sensor's tick, in its order, in this process and step by step.

The order is that of `dagster/_daemon/sensor.py`: evaluate, store events, register partitions, launch runs. A test
leaves steps out to be the daemon that was killed between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import dagster as dg

from bridgecart_assets.definitions import build_defs
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.resources import Platform
from bridgecart_assets.orchestration.sensors import orders_sensor
from bridgecart_assets_tests.support.causes import our_own


@dataclass
class Daemon:
    """Ticks of the orders sensor against one Dagster instance."""

    instance: dg.DagsterInstance
    job: str = "orders_batch"
    launched: list[tuple[str, bool]] = field(default_factory=list)

    def evaluate(self) -> dg.SensorResult | dg.SkipReason:
        """The sensor's answer; nothing is stored. Raises what our code raised."""
        with (
            our_own(),
            dg.build_sensor_context(instance=self.instance, resources={"platform": Platform()}) as context,
        ):
            answer = orders_sensor(context)
        assert isinstance(answer, dg.SensorResult | dg.SkipReason)
        return answer

    def register(self, answer: dg.SensorResult) -> None:
        """Store the events and the new partition keys."""
        for event in answer.asset_events:
            self.instance.report_runless_asset_event(event)
        for request in answer.dynamic_partitions_requests or []:
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            else:
                for key in request.partition_keys:
                    self.instance.delete_dynamic_partition(request.partitions_def_name, key)

    def launch(self, answer: dg.SensorResult) -> None:
        """Run what was asked for, to its end: the sensor's job, or `self.job` where a test needs less of it."""
        for request in answer.run_requests or []:
            job = build_defs().resolve_job_def(self.job)
            result = job.execute_in_process(
                instance=self.instance,
                partition_key=request.partition_key,
                asset_selection=request.asset_selection,
                tags=dict(request.tags),
                run_config=request.run_config,
                raise_on_error=False,
            )
            assert request.partition_key is not None
            self.launched.append((request.partition_key, result.success))

    def tick(self) -> dg.SensorResult | dg.SkipReason:
        """One whole tick and the run it asks for."""
        answer = self.evaluate()
        if isinstance(answer, dg.SensorResult):
            self.register(answer)
            self.launch(answer)
        return answer

    def keys(self) -> Sequence[str]:
        """The registered batch keys."""
        return self.instance.get_dynamic_partitions(str(BATCHES.name))


def asked_for(answer: dg.SensorResult | dg.SkipReason) -> str:
    """The key of the one run that the sensor asks for."""
    assert isinstance(answer, dg.SensorResult), answer
    (request,) = answer.run_requests or []
    assert request.partition_key is not None
    return request.partition_key


def said(answer: dg.SensorResult | dg.SkipReason) -> str:
    """Why the sensor skipped."""
    assert isinstance(answer, dg.SkipReason), answer
    return answer.skip_message or ""
