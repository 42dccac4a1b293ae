"""Changes of segments in a Kafka topic, for other programs. Nothing is sent until somebody switches the sensor on."""

import dagster as dg

from bridgecart_assets.assets.specs import OWNERS, POOL, SEGMENT_CHANGES_TOPIC, asset_key
from bridgecart_assets.contracts import CUSTOMER_SEGMENTS
from bridgecart_assets.platform import Platform


@dg.asset(
    key=SEGMENT_CHANGES_TOPIC,
    deps=[asset_key(CUSTOMER_SEGMENTS)],
    group_name="announced",
    kinds={"kafka"},
    owners=OWNERS,
    pool=POOL,
    description="The Kafka topic that tells who entered, moved or left which segment, each change once. The sensor "
    "segment_changes_sensor, which is off by default, sends them after every batch; so does `bridgecart announce`.",
)
def segment_changes(platform: Platform) -> dg.MaterializeResult[None]:
    """Send the changes since the last time."""
    sent = platform.announce_segments()
    return dg.MaterializeResult(metadata={"sent": sent, "topic": platform.settings.segment_changes_topic})
