"""The sensor that looks for causes and tells of them. Not Dagster's own sensor of failed runs.

That one forgets a run once it was called for it, also where the webhook did not answer; and it knows nothing of what
is over.
"""

from datetime import UTC, datetime

import dagster as dg

from bridgecart_assets.orchestration.monitoring.telling import tell
from bridgecart_assets.orchestration.monitoring.watching import daemon_sees
from bridgecart_assets.orchestration.resources import Platform


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts to BRIDGECART_ALERT_WEBHOOK, where that is set: failed runs and checks, a stuck batch, no new "
    "data, the orders sensor off. One message when it begins, one when it is over.",
)
def alerts_sensor(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
    """One tick: look for causes, and post what is new."""
    settings = platform.settings
    if settings.alert_webhook is None:
        return dg.SkipReason("BRIDGECART_ALERT_WEBHOOK is not set: nobody is told")
    now = datetime.now(UTC)
    return dg.SkipReason(str(tell(settings, lambda book: daemon_sees(context.instance, settings, book, now), now)))
