"""Changes of segments in a Kafka topic, for other programs. Nothing is sent until somebody switches the sensor on."""

import dagster as dg

from bridgecart_assets.contracts import CUSTOMER_SEGMENTS
from bridgecart_assets.orchestration.asset_specs import OWNERS, POOL, SEGMENT_CHANGES_TOPIC, asset_key
from bridgecart_assets.orchestration.failures import cause_first
from bridgecart_assets.orchestration.jobs import announce_segments
from bridgecart_assets.orchestration.resources import Platform

_NOT_ASKED_FOR = "nothing: materialize this asset by itself, or switch segment_changes_sensor on"


@dg.asset(
    key=SEGMENT_CHANGES_TOPIC,
    deps=[asset_key(CUSTOMER_SEGMENTS)],
    group_name="announced",
    kinds={"kafka"},
    owners=OWNERS,
    pool=POOL,
    description="The Kafka topic that tells who entered, moved or left which segment, each change once. The sensor "
    "segment_changes_sensor, which is off by default, sends them after every batch; so does `bridgecart announce`. "
    "Materialized together with other assets it sends nothing.",
)
@cause_first()
def segment_changes(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult[None]:
    """Send the changes since the last time, where that was asked for and not everything at once."""
    run = context.run
    if run.job_name != announce_segments.name and run.asset_selection != {SEGMENT_CHANGES_TOPIC}:
        return dg.MaterializeResult(metadata={"sent": _NOT_ASKED_FOR})
    sent = platform.announce_segments()
    return dg.MaterializeResult(metadata={"sent": sent, "topic": platform.settings.segment_changes_topic})
