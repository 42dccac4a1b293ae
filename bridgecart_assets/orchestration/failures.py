"""Our own errors as people read them in Dagster: their line stands first. A bug stays a bug, with its traceback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.sources.kafka.errors import BrokerUnreachable, ClusterUnsettled, TopicNotFound
from bridgecart_assets.sources.kafka.from_settings import NoBroker
from bridgecart_assets.warehouse.storage.database import WarehouseLocked

# So begins the reason of a tick that could read nothing.
NOTHING_READ = "nothing was read"
# A tick that meets one of these has read nothing and asks for nothing; a later one may find it mended.
UNREADABLE = (NoBroker, BrokerUnreachable, ClusterUnsettled, TopicNotFound, WarehouseLocked)
# Dagster removes ticks that skipped after a day of them, but never what they logged.
LOGGED_TICKS = 24 * 60 * 60 // 5
# Ids of ticks are those of all sensors together.
_TICKS_LOOKED_AT = 10

Answer = dg.SensorResult | dg.SkipReason


class TickFailed(dg.DagsterError):
    """A tick that needs a person. Dagster wraps every exception of a sensor but its own kind."""


@contextmanager
def cause_first() -> Iterator[None]:
    """Around whatever a step does: the run's page shows our line and not the frames that led to it."""
    try:
        yield
    except BridgeCartError as error:
        raise dg.Failure(str(error), metadata={"kind": type(error).__name__}) from error


def answer_of(context: dg.SensorEvaluationContext, tick: Callable[[], Answer]) -> Answer:
    """A tick's answer, with the reason of a skip in its log, too. Raises TickFailed."""
    _remove_old_log(context)
    try:
        answer = tick()
    except UNREADABLE as error:
        context.log.error(str(error))
        return dg.SkipReason(f"{NOTHING_READ}: {error}")
    except BridgeCartError as error:
        context.log.error(str(error))
        raise TickFailed(str(error)) from error
    if isinstance(answer, dg.SkipReason):
        context.log.info(answer.skip_message)
    return answer


def _remove_old_log(context: dg.SensorEvaluationContext) -> None:
    """Remove what the tick logged that began a day ago."""
    if not context.log_key:
        return
    *sensor, tick = context.log_key
    for age in range(LOGGED_TICKS, LOGGED_TICKS + _TICKS_LOOKED_AT):
        context.instance.compute_log_manager.delete_logs([*sensor, str(int(tick) - age)])
