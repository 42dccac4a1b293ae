"""What our code raised, inside what Dagster is told."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from bridgecart_assets.orchestration.failures import TickFailed


@contextmanager
def our_own() -> Iterator[None]:
    """Raise the error itself where a step or a tick failed with one of ours."""
    try:
        yield
    except (dg.Failure, TickFailed) as told:
        raise told.__cause__ or told from None
