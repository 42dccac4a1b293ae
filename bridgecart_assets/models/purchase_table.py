"""The purchase model as a table: when it is fitted, the data gate, and the rows of `gold.purchase_model`."""

import hashlib
from datetime import date

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import PURCHASE_MODEL
from bridgecart_assets.models.arrays import Floats
from bridgecart_assets.models.due import RefitMode, is_due
from bridgecart_assets.models.frames import typed
from bridgecart_assets.models.purchase import Customers, FitFailed, fit_purchases
from bridgecart_assets.models.spend import fit_spend

# The data gate: below it four parameters say more about chance than about customers.
MIN_CUSTOMERS = 100
MIN_REPEAT_CUSTOMERS = 50
MIN_HISTORY_DAYS = 56
# Before that, purchase rates of all customers fall together as the silent ones become known as such.
MATURE_HISTORY_DAYS = 180

_PURCHASES = ["frequency", "orders", "coupon_orders", "log_spend_sum", "log_spend_square_sum"]


def refit_purchases(model: pd.DataFrame, customers: pd.DataFrame, *, mode: RefitMode, refit_days: int) -> pd.DataFrame:
    """The versions of the purchase model, with a new one where a refit was asked for or is due.

    `model` has the columns of `gold.purchase_model`. `customers` are those of `sql/models/sample_purchases.sql`, at
    least one purchase day each. The same customers give the same version again, so asking twice changes nothing.
    """
    if customers.empty:
        return model
    as_of = pd.Timestamp(customers["as_of"].iloc[0]).date()
    if mode is not RefitMode.NOW and not is_due(model, len(customers), as_of, refit_days=refit_days):
        return model
    row = fit_row(customers.sort_values("customer_id", kind="stable"), as_of)
    if row["input_hash"] in set(model["input_hash"]):
        return model
    row["version"] = 1 if model.empty else int(model["version"].max()) + 1
    added = typed(pd.DataFrame([row]), PURCHASE_MODEL)
    return added if model.empty else pd.concat([typed(model, PURCHASE_MODEL), added], ignore_index=True)


def newest_and_provisional(versions: pd.DataFrame) -> tuple[int, list[int]]:
    """The number of the newest version (0 without one), and those of a young shop, whose rates still move for all."""
    is_young = versions["no_prediction_reason"].notna() | (versions["history_days"] < MATURE_HISTORY_DAYS)
    young = [int(version) for version in versions.loc[is_young, "version"]]
    return (0 if versions.empty else int(versions["version"].max())), young


def fit_row(customers: pd.DataFrame, as_of: date) -> dict[str, object]:
    """One row of `gold.purchase_model`, without its version."""
    days = customers["frequency"].to_numpy(dtype=np.float64)
    spend = fit_spend(
        days,
        customers["log_spend_sum"].to_numpy(dtype=np.float64),
        customers["log_spend_square_sum"].to_numpy(dtype=np.float64),
    )
    orders, coupon_orders = int(customers["orders"].sum()), int(customers["coupon_orders"].sum())
    return {
        "as_of": as_of,
        "in_force_from": as_of,
        "input_hash": _input_hash(customers),
        "fitted_customers": len(customers),
        "repeat_customers": int((days > 1).sum()),
        "history_days": int(_days_since(customers, "first_purchased_on", as_of).max()),
        **_purchase_parameters(customers, as_of),
        "log_spend_mean": spend.mean,
        "log_spend_variance_within": spend.within,
        "log_spend_variance_between": spend.between,
        "coupon_share_mean": round(coupon_orders / orders, 9) if orders else 0.0,
        "largest_mean_spend": float(customers["mean_spend"].max()),
    }


def _purchase_parameters(customers: pd.DataFrame, as_of: date) -> dict[str, object]:
    x = customers["frequency"].to_numpy(dtype=np.float64) - 1
    T = _days_since(customers, "first_purchased_on", as_of) / 7
    t_x = T - _days_since(customers, "last_purchased_on", as_of) / 7
    reason = _below_gate(x, T)
    if reason is None:
        try:
            fit = fit_purchases(Customers.of(x, t_x, T))
        except FitFailed:
            reason = "no_maximum"
        else:
            found = fit.model
            return {
                "r": found.r,
                "alpha": found.alpha,
                "a": found.a,
                "b": found.b,
                "log_likelihood": round(fit.log_likelihood, 4),
                "no_prediction_reason": None,
            }
    # Without a fit the rates, which the traits need, shrink to the pooled one, as strongly as one purchase weighs.
    pooled = round(float((T.sum() + 1) / (x.sum() + 1)), 6)
    return {"r": 1.0, "alpha": pooled, "a": None, "b": None, "log_likelihood": None, "no_prediction_reason": reason}


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


def _input_hash(customers: pd.DataFrame) -> str:
    hashed = customers[["customer_id", "as_of", "first_purchased_on", "last_purchased_on", *_PURCHASES]]
    hashes = pd.util.hash_pandas_object(hashed.astype(str), index=False)
    return hashlib.sha256(hashes.to_numpy().astype(">u8").tobytes()).hexdigest()
