"""Causes for alarm: what each says when it begins and when it is over. No Dagster, no clock, no network here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridgecart_assets.orchestration.run_health import DaemonState, SensorState, WaitingBatch

# Messages that wait for a webhook that does not answer; older ones are dropped.
MOST_WAITING = 100
FIRST_PAUSE = timedelta(seconds=20)
LONGEST_PAUSE = timedelta(minutes=10)


@dataclass(frozen=True)
class Cause:
    """One cause: the same key is the same cause. `key` begins with its watch: `check/silver/orders/...`."""

    key: str
    says: str
    over: str

    @property
    def watch(self) -> str:
        """The watch that looks for it."""
        return self.key.partition("/")[0]


# By watch what it found; None: it could not look, so that nothing of its own begins or is over.
Seen = Mapping[str, Sequence[Cause] | None]


@dataclass(frozen=True)
class Book:
    """The book of alerts: those that were told, and those that are still to be said.

    Attributes:
        told: by key of a cause that lasts what is said when it is over.
        outbox: messages that the webhook has not taken yet, oldest first.
        looked_at: when the causes were last looked for.
        refusals: how often in a row the webhook did not take a message.
        retry_at: when it is tried again.

    """

    told: Mapping[str, str] = field(default_factory=dict)
    outbox: tuple[str, ...] = ()
    looked_at: datetime | None = None
    refusals: int = 0
    retry_at: datetime | None = None


def noted(book: Book, seen: Seen, now: datetime) -> Book:
    """The book after a look: a message for each cause that began, and one for each that is over."""
    found = {cause.key: cause for causes in seen.values() for cause in causes or ()}
    looked = {watch for watch, causes in seen.items() if causes is not None}
    over = [key for key in book.told if key not in found and key.partition("/")[0] in looked]
    begun = [cause for key, cause in found.items() if key not in book.told]
    messages = [f"Over: {book.told[key]}" for key in over] + [cause.says for cause in begun]
    stamped = [f"{now:%Y-%m-%d %H:%M} UTC. {message}" for message in messages]
    told = {key: words for key, words in book.told.items() if key not in over}
    return replace(
        book,
        told={**told, **{cause.key: cause.over for cause in begun}},
        outbox=(*book.outbox, *stamped)[-MOST_WAITING:],
        looked_at=now,
    )


def taken(book: Book) -> Book:
    """The book once the webhook took its first message."""
    return replace(book, outbox=book.outbox[1:], refusals=0, retry_at=None)


def refused(book: Book, now: datetime) -> Book:
    """The book once the webhook did not take a message: it is left alone for a while, longer each time."""
    pause = min(FIRST_PAUSE * 2 ** min(book.refusals, 10), LONGEST_PAUSE)
    return replace(book, refusals=book.refusals + 1, retry_at=now + pause)


def is_due(book: Book, now: datetime) -> bool:
    """True if there is a message to post now. A clock that was set back must not make it wait for long."""
    return bool(book.outbox) and not (book.retry_at and book.retry_at - LONGEST_PAUSE <= now < book.retry_at)


def sensor_causes(sensor: "SensorState", *, is_stuck: bool) -> list[Cause]:
    """The orders sensor is off, or fails; not because of the batch that is stuck, which is a cause of its own."""
    if not sensor.is_on:
        when = f" since {_minute(sensor.since)}" if sensor.since else ""
        says = f"The orders sensor is off{when}: no order is taken in. Switch it on under Automation in the Dagster UI."
        return [Cause("sensor/off", says, "the orders sensor is on.")]
    if sensor.failing and not is_stuck:
        says = f"The orders sensor fails at every tick, and no order is taken in: {sensor.failing}"
        return [Cause("sensor/failing", says, "the orders sensor works.")]
    return []


def daemon_causes(daemon: "DaemonState") -> list[Cause]:
    """No daemon is there to evaluate the sensor. Only others can tell: it is the daemon that looks for alarms."""
    if daemon.is_alive:
        return []
    heard = f"was last heard at {_minute(daemon.last_heard_at)}" if daemon.last_heard_at else "was never heard"
    says = f"Dagster's daemon {heard}: no order is taken in. Start `bridgecart up`, or the daemon where it runs alone."
    return [Cause("daemon/silent", says, "Dagster's daemon is there.")]


def batch_causes(batch: "WaitingBatch | None") -> list[Cause]:
    """A batch failed as often as it is tried."""
    if batch is None or not batch.is_stuck:
        return []
    times = "once" if batch.failures == 1 else f"{batch.failures} times"
    says = (
        f"Batch {batch.key} failed {times}, and nothing after it is read: {batch.last_error} Mend the "
        f"cause, then materialize batch {batch.key} in the Dagster UI or run `bridgecart run`."
    )
    return [Cause(f"batch/{batch.key}", says, f"batch {batch.key} is stuck no longer.")]


def check_causes(failed_checks: Iterable[Mapping[str, str]]) -> list[Cause]:
    """Checks of ERROR severity that failed."""
    return [_check(check) for check in failed_checks if check["severity"] == "ERROR"]


def data_causes(last_batch_at: datetime | None, hours: float, now: datetime) -> list[Cause]:
    """No batch has brought a record for so many hours; 0 hours: nobody asks."""
    if last_batch_at is None or hours == 0 or now - last_batch_at <= timedelta(hours=hours):
        return []
    says = f"No new records for more than {hours:g} hours: the last batch with any is of {_minute(last_batch_at)}."
    return [Cause("data/none", says, "new records came in.")]


def command_causes(command: str, error: str | None) -> list[Cause]:
    """A command that nobody watches failed."""
    if error is None:
        return []
    return [
        Cause(f"command/{command}", f"`bridgecart {command}` failed: {error}", f"`bridgecart {command}` succeeded.")
    ]


def _check(check: Mapping[str, str]) -> Cause:
    name = f"check {check['check']} of {check['asset']}"
    says = f"Check {check['check']} of {check['asset']} failed: {check['says'] or 'it says no more.'}"
    return Cause(f"check/{check['asset']}/{check['check']}", says, f"{name} passes.")


def _minute(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "an unknown time"
