"""Changes of segments and lifecycles in a Kafka topic, for other programs.

Nothing is sent until somebody switches the sensor on. The topic is an asset that no run of tables materializes: only
the job that sends does.
"""

import dagster as dg

from bridgecart_assets.contracts import CUSTOMER_SEGMENTS
from bridgecart_assets.orchestration.asset_specs import OWNERS, POOL, SEGMENT_CHANGES_TOPIC, asset_key
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.resources import Platform

segment_changes = dg.AssetSpec(
    key=SEGMENT_CHANGES_TOPIC,
    deps=[asset_key(CUSTOMER_SEGMENTS)],
    group_name="announced",
    kinds={"kafka"},
    owners=OWNERS,
    description="The Kafka topic that tells who entered, moved or left which segment, or turned to another lifecycle, "
    "each change once. The sensor segment_changes_sensor, which is off by default, sends them after every batch; so do "
    "the job announce_segments and `bridgecart announce`.",
)


@dg.op(pool=POOL, out=dg.Out(dg.Nothing), description="Sends the changes since the last time.")
@cause_first()
def send_segment_changes(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Send the changes, and say so as a materialization of the topic."""
    sent = platform.announce_segments()
    metadata: dict[str, int | str] = {"sent": sent, "topic": platform.settings.segment_changes_topic}
    context.log_event(dg.AssetMaterialization(SEGMENT_CHANGES_TOPIC, metadata=metadata))


@dg.job(description="Send changes of segments and lifecycles to their Kafka topic, each once.")
def announce_segments() -> None:
    """One op."""
    send_segment_changes()
