"""Telling of a command that no daemon watches: `bridgecart run` under cron."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import Settings
from bridgecart_assets.orchestration.monitoring.causes import Cause, Seen, check_causes, command_causes
from bridgecart_assets.orchestration.monitoring.telling import BookUnusable, signed, tell
from bridgecart_assets.orchestration.monitoring.webhook import NotDelivered, post

if TYPE_CHECKING:
    import dagster as dg


@contextmanager
def watched(command: str, settings: Settings, say: Callable[[str], None]) -> Iterator[None]:
    """Post once when the command fails, or a check does, and once when that is over.

    What goes wrong with telling is said, and changes nothing of how the command ends.
    """
    try:
        yield
    except Exception as error:
        _tell(command, settings, error, say)
        raise
    _tell(command, settings, None, say)


def _tell(command: str, settings: Settings, error: Exception | None, say: Callable[[str], None]) -> None:
    if settings.alert_webhook is None:
        return
    causes = command_causes(command, _why(error))
    try:
        told = tell(settings, lambda _: _look(settings, causes, error), datetime.now(UTC))
        if told.hindrance is not None:
            say(told.hindrance)
    except BookUnusable as unusable:
        # A full disk is what people want to hear of.
        say(f"{unusable}{_told_all_the_same(settings, causes)}")
    except BridgeCartError as failure:
        say(f"No alert was posted: {failure}")


def _why(error: Exception | None) -> str | None:
    """The command's own words; of a bug, whose text may quote anything, its kind."""
    if error is None or isinstance(error, BridgeCartError):
        return None if error is None else str(error)
    return f"it ended with {type(error).__name__}, see its output."


def _look(settings: Settings, causes: Sequence[Cause], error: Exception | None) -> Seen:
    from bridgecart_assets.commands.run_pipeline import CheckStoppedRun
    from bridgecart_assets.orchestration.instance import StorageFailed
    from bridgecart_assets.orchestration.status import existing_instance

    try:
        with existing_instance(settings) as instance:
            checks = None if instance is None else check_causes(_failed_checks(instance))
    except StorageFailed:
        checks = None
    # The check that stopped the run is the cause, and told as one.
    return {"command": [] if checks and isinstance(error, CheckStoppedRun) else causes, "check": checks}


def _failed_checks(instance: "dg.DagsterInstance") -> list[dict[str, str]]:
    from bridgecart_assets.orchestration.health import read_checks

    return read_checks(instance)[1]


def _told_all_the_same(settings: Settings, causes: Sequence[Cause]) -> str:
    webhook = settings.alert_webhook
    if webhook is None:
        return ""
    try:
        for cause in causes:
            post(webhook, signed(settings, cause.says))
    except NotDelivered as error:
        return f" {error}"
    return ""
