"""Due dates of a refit: asked for, on schedule, or because the customers fitted to are a minority by now."""

from datetime import date, timedelta
from enum import Enum

import pandas as pd


class RefitMode(Enum):
    """`when_due`, as every run does; `now`, on request; `accept`: take the proposed segments into force."""

    WHEN_DUE = "when_due"
    NOW = "now"
    ACCEPT = "accept"


def is_due(model: pd.DataFrame, customers: int, as_of: date, *, refit_days: int) -> bool:
    """True if there is no version yet, or data of `refit_days` more, or twice the customers since the newest one.

    The newest version counts, also one that waits for a person: it is not asked for again and again. Samples are
    capped, so beyond the cap only time makes a model due.
    """
    if model.empty:
        return True
    newest = model.loc[model["version"] == model["version"].max()].iloc[0]
    next_due = pd.Timestamp(newest["as_of"]).date() + timedelta(days=refit_days)
    return as_of >= next_due or customers >= 2 * int(newest["fitted_customers"])
