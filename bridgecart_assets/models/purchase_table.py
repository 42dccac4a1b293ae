"""The purchase model as a table: when it is fitted, the data gate, and the rows of `gold.purchase_model`."""

import hashlib
import json
from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import PURCHASE_MODEL
from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.due import RefitMode, is_due
from bridgecart_assets.models.frames import typed
from bridgecart_assets.models.purchase import FitFailed
from bridgecart_assets.models.purchase_choice import (
    COVARIATES,
    POOLED,
    SEASONAL,
    Choice,
    HeldOut,
    Lives,
    choose_model,
)
from bridgecart_assets.models.spend import STORED_DECIMALS
from bridgecart_assets.models.spend_choice import choose_spend

# The data gate: below it four parameters say more about chance than about customers.
MIN_CUSTOMERS = 100
MIN_REPEAT_CUSTOMERS = 50
MIN_HISTORY_DAYS = 56
# Before that, purchase rates of all customers fall together as the silent ones become known as such.
MATURE_HISTORY_DAYS = 180

_CANDIDATES = (POOLED, COVARIATES, SEASONAL)
_PARAMETERS = ("r", "alpha", "a", "b")
_LEVELS = [(of, part) for of in ("spend", "coupon") for part in ("mean", "scale")]
_OF_COVARIATES = (
    *(f"{candidate}_{figure}" for candidate in _CANDIDATES for figure in ("log_score", "error")),
    *(f"{of}_level_{part}" for of, part in _LEVELS),
    "coefficients",
    "season",
)
_PURCHASES = [
    *("frequency", "orders", "coupon_orders", "log_spend_sum", "log_spend_square_sum"),
    *("purchase_sales", "net_sales"),
]


ReadSample = Callable[[], pd.DataFrame]


def refit_purchases(
    model: pd.DataFrame,
    customers: pd.DataFrame,
    held_out: ReadSample,
    spend_days: ReadSample,
    months: ReadSample,
    *,
    mode: RefitMode,
    refit_days: int,
    window_days: int,
) -> pd.DataFrame:
    """The versions of the purchase model, with a new one where a refit was asked for or is due.

    `model` has the columns of `gold.purchase_model`. `customers` are those of `sql/models/sample_purchases.sql`, at
    least one purchase day each; `held_out` gives those of `sql/models/sample_held_out.sql`, what was known of them
    before the last `window_days`, `spend_days` those of `sql/models/sample_spend.sql`, with what they spent before
    and in them, and `months` what they bought by month, as `sql/models/sample_season.sql` has it. The same customers
    give the same version again, so asking twice changes nothing.
    """
    if customers.empty:
        return model
    as_of = pd.Timestamp(customers["as_of"].iloc[0]).date()
    if mode is not RefitMode.NOW and not is_due(model, len(customers), as_of, refit_days=refit_days):
        return model
    customers = customers.sort_values("customer_id", kind="stable")
    input_hash = _input_hash(customers, window_days)
    if input_hash in set(model["input_hash"]):
        return model
    spent = spend_days().sort_values("customer_id", kind="stable")
    row = {
        "input_hash": input_hash,
        **_fit_row(
            customers,
            as_of,
            lambda: HeldOut.of(held_out(), months(), as_of, window_days=window_days),
            window_days=window_days,
        ),
        **_spend_parameters(customers, spent),
    }
    row["version"] = 1 if model.empty else int(model["version"].max()) + 1
    added = typed(pd.DataFrame([row]), PURCHASE_MODEL)
    return added if model.empty else pd.concat([typed(model, PURCHASE_MODEL), added], ignore_index=True)


def newest_and_provisional(versions: pd.DataFrame) -> tuple[int, list[int]]:
    """The number of the newest version (0 without one), and those of a young shop, whose rates still move for all."""
    is_young = versions["no_prediction_reason"].notna() | (versions["history_days"] < MATURE_HISTORY_DAYS)
    young = [int(version) for version in versions.loc[is_young, "version"]]
    return (0 if versions.empty else int(versions["version"].max())), young


def candidates_table(versions: pd.DataFrame) -> pd.DataFrame:
    """The candidates of the newest version: log score and error in the window held out, and which one predicts.

    No rows without a version, or where there was nothing to compare.
    """
    columns = ["candidate", "log_score", "error", "chosen"]
    rows = [
        [name, newest[f"{name}_log_score"], newest[f"{name}_error"], bool(newest["candidate"] == name)]
        for _, newest in versions.tail(1).iterrows()
        for name in _CANDIDATES
        if pd.notna(newest[f"{name}_log_score"])
    ]
    return pd.DataFrame(rows, columns=columns)


def _fit_row(
    customers: pd.DataFrame, as_of: date, held_out: Callable[[], HeldOut], *, window_days: int
) -> dict[str, object]:
    """The purchases and the traits in one row of `gold.purchase_model`."""
    days = customers["frequency"].to_numpy(dtype=np.float64)
    orders, coupon_orders = int(customers["orders"].sum()), int(customers["coupon_orders"].sum())
    return {
        "as_of": as_of,
        "in_force_from": as_of,
        "fitted_customers": len(customers),
        "repeat_customers": int((days > 1).sum()),
        "history_days": int(_days_since(customers, "first_purchased_on", as_of).max()),
        **_purchase_parameters(customers, as_of, held_out, window_days),
        "coupon_share_mean": round(coupon_orders / orders, 9) if orders else 0.0,
    }


def _spend_parameters(customers: pd.DataFrame, spent: pd.DataFrame) -> dict[str, object]:
    choice = choose_spend(spent)
    log_spend = choice.log_normal.model
    sales, refunds = (
        float(values.sum())
        for values in (customers["purchase_sales"], customers["purchase_sales"] - customers["net_sales"])
    )
    return {
        "log_spend_mean": log_spend.mean,
        "log_spend_variance_within": log_spend.within,
        "log_spend_variance_between": log_spend.between,
        "largest_mean_spend": choice.log_normal.largest,
        "spend_model": choice.name,
        "spend_mean": choice.line.mean,
        "spend_prior_days": choice.line.prior_days,
        "log_spend_scale": choice.log_normal.scale,
        "repeat_spend_scale": choice.repeat_scale,
        "refund_share_mean": round(min(refunds / sales, 1.0), STORED_DECIMALS),
        "spend_backtest": json.dumps(choice.backtest.to_dict("records")),
    }


def _purchase_parameters(
    customers: pd.DataFrame, as_of: date, held_out: Callable[[], HeldOut], window_days: int
) -> dict[str, object]:
    # Loaded first: the limit holds for libraries that are there.
    import scipy.optimize  # noqa: F401
    from threadpoolctl import threadpool_limits

    lived, silent = (_days_since(customers, name, as_of) for name in ("first_purchased_on", "last_purchased_on"))
    x, T = customers["frequency"].to_numpy(dtype=np.float64) - 1, lived / 7
    reason = _below_gate(x, T)
    if reason is None:
        try:
            # By one thread the digits are those of any machine, and thousands of short sums are added up sooner.
            with threadpool_limits(limits=1):
                choice = choose_model(Lives(customers, lived, silent, as_of), held_out, window_days=window_days)
            return _chosen_parameters(choice)
        except FitFailed:
            reason = "no_maximum"
    # Without a fit the rates, which the traits need, shrink to the pooled one, as strongly as one purchase weighs.
    pooled = round(float((T.sum() + 1) / (x.sum() + 1)), 6)
    nothing = dict.fromkeys((*_PARAMETERS, "log_likelihood", "candidate", "chosen_because", *_OF_COVARIATES))
    return {**nothing, "r": 1.0, "alpha": pooled, "no_prediction_reason": reason}


def _chosen_parameters(choice: Choice) -> dict[str, object]:
    pooled, found = choice.pooled.model, choice.covariates
    scores, levels = choice.scores or {}, None if found is None else found.levels
    return {
        **{name: getattr(pooled, name) for name in _PARAMETERS},
        "log_likelihood": round(choice.pooled.log_likelihood, 4),
        "candidate": choice.candidate,
        "chosen_because": choice.because,
        **{
            f"{candidate}_{figure}": getattr(scores.get(candidate), figure, None)
            for candidate in _CANDIDATES
            for figure in ("log_score", "error")
        },
        **{f"{of}_level_{part}": getattr(levels, f"{of}_{part}", None) for of, part in _LEVELS},
        "coefficients": None if found is None else found.coefficients.reshape(-1).tolist(),
        "season": None if choice.season is None else list(choice.season.factors),
        "no_prediction_reason": None,
    }


def _below_gate(x: Floats, T: Floats) -> str | None:
    if len(x) < MIN_CUSTOMERS:
        return "too_few_customers"
    if (x > 0).sum() < MIN_REPEAT_CUSTOMERS:
        return "too_few_repeat_customers"
    return "too_short_history" if T.max() * 7 < MIN_HISTORY_DAYS else None


def _days_since(customers: pd.DataFrame, column: str, as_of: date) -> Floats:
    """Days from a date of each customer to the last day of the data."""
    days = (pd.Timestamp(as_of) - pd.to_datetime(customers[column])).dt.days
    return np.asarray(days, dtype=np.float64) - 1


def _input_hash(customers: pd.DataFrame, window_days: int) -> str:
    hashed = customers[["customer_id", "as_of", "first_purchased_on", "last_purchased_on", *_PURCHASES]]
    hashes = pd.util.hash_pandas_object(hashed.astype(str), index=False)
    digest = hashlib.sha256(hashes.to_numpy().astype(">u8").tobytes())
    digest.update(f"window_days={window_days}".encode())
    return digest.hexdigest()
