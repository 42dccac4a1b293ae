"""The batch: one Dagster partition of the raw and silver order tables."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="batch")
_FORMAT = "%Y%m%dT%H%M%SZ"


def next_batch_key(now: datetime, existing: Iterable[str]) -> str:
    """A batch key for this instant, `20260131T070510Z`, later than every existing key of that form.

    A clock that was set back, or several batches within a second, push the key on by whole seconds.
    """
    newest = max((instant for key in existing if (instant := _instant(key)) is not None), default=None)
    wanted = now.astimezone(UTC).replace(microsecond=0)
    if newest is not None and wanted <= newest:
        wanted = newest + timedelta(seconds=1)
    return wanted.strftime(_FORMAT)


def _instant(key: str) -> datetime | None:
    try:
        return datetime.strptime(key, _FORMAT).replace(tzinfo=UTC)
    except ValueError:
        # A key that a person added by hand; it has no place in time.
        return None
