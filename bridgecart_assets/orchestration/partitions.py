"""The batch: one Dagster partition of the raw and silver order tables."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="batch")
_FORMAT = "%Y%m%dT%H%M%SZ"
_NO_CLOCK_SAYS = 3000
_AT_ONCE = 1_000


def next_batch_key(now: datetime, existing: Iterable[str]) -> str:
    """A batch key for this instant, `20260131T070510Z`, later than every existing key of that form.

    A clock that was set back, or several batches within a second, push the key on by whole seconds.
    """
    newest = max((instant for key in existing if (instant := _instant(key)) is not None), default=None)
    wanted = now.astimezone(UTC).replace(microsecond=0)
    if newest is not None and wanted <= newest:
        wanted = newest + timedelta(seconds=1)
    return wanted.strftime(_FORMAT)


def newest_keys(instance: dg.DagsterInstance, *, limit: int) -> list[str]:
    """The batch keys registered last, newest first."""
    page = instance.get_paginated_dynamic_partitions(str(BATCHES.name), limit=limit, ascending=False)
    return list(page.results)


def expired_keys(instance: dg.DagsterInstance, limit: int) -> list[str]:
    """The oldest batch keys beyond `limit`, oldest first, at most a thousand of them; never the newest one."""
    keys = instance.get_dynamic_partitions(str(BATCHES.name))
    return list(keys[: max(0, len(keys) - max(limit, 1))][:_AT_ONCE])


def latest_batch(keys: Iterable[str]) -> tuple[str, datetime] | None:
    """The latest of the keys and its instant; keys that a person made up have none and are passed over."""
    return max(((key, instant) for key in keys if (instant := _instant(key)) is not None), default=None)


def _instant(key: str) -> datetime | None:
    try:
        instant = datetime.strptime(key, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    # What else parses, a person added by hand: other spellings, and instants after which there is no later one.
    return instant if instant.strftime(_FORMAT) == key and instant.year < _NO_CLOCK_SAYS else None
