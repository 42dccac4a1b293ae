"""The two models, fitted to samples of the warehouse where that is due: the one way for assets, evaluation and tests.

What belongs elsewhere: the statistics and the decision to fit (`models/`), and how a table of versions is stored.
"""

from collections.abc import Callable

import pandas as pd

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.models.due import RefitMode
from bridgecart_assets.models.purchase_table import newest_and_provisional, refit_purchases
from bridgecart_assets.models.refitting import RefitOutcome, refit
from bridgecart_assets.warehouse.queries import (
    held_out_sample,
    purchase_sample,
    season_sample,
    spend_sample,
    traits_sample,
)
from bridgecart_assets.warehouse.storage.outputs import Sample

ReadSample = Callable[[Sample], pd.DataFrame]


def fit_purchase_model(
    versions: pd.DataFrame, read_sample: ReadSample, settings: Settings, *, mode: RefitMode
) -> pd.DataFrame:
    """The versions of the purchase model, with a new one where it is due or asked for."""
    return refit_purchases(
        versions,
        read_sample(purchase_sample()),
        lambda: read_sample(held_out_sample(settings)),
        lambda: read_sample(spend_sample(settings)),
        lambda: read_sample(season_sample(settings)),
        mode=mode,
        refit_days=settings.model_refit_days,
        window_days=settings.churn_window_days,
    )


def fit_segment_model(
    versions: pd.DataFrame,
    purchase_versions: pd.DataFrame,
    read_sample: ReadSample,
    settings: Settings,
    *,
    mode: RefitMode,
) -> RefitOutcome:
    """The versions of the segment model, under the newest version of the purchase model, and what was decided."""
    newest, provisional = newest_and_provisional(purchase_versions)
    return refit(
        versions,
        lambda version: read_sample(traits_sample(version)),
        newest,
        provisional=provisional,
        mode=mode,
        segments=settings.segments,
        seed=settings.model_seed,
        refit_days=settings.model_refit_days,
    )
