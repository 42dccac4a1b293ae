"""Customers with known groups: features as the model asset loads them, and orders that give such features."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from bridgecart_assets.contracts import SEGMENTATION_TRAITS

# Group -> (log orders, log order value, coupon share) of its middle, and its mean value.
GROUPS: Mapping[str, tuple[float, float, float]] = {
    "regulars": (3.0, 4.0, 0.10),
    "spenders": (1.0, 7.0, 0.15),
    "hunters": (2.0, 2.5, 0.80),
    "passers": (0.2, 3.5, 0.30),
}
VALUE: Mapping[str, float] = {"regulars": 4_000.0, "spenders": 9_000.0, "hunters": 500.0, "passers": 60.0}
KEY_OF = {"spenders": "S01", "regulars": "S02", "hunters": "S03", "passers": "S04"}


def features(
    *,
    each: int = 60,
    seed: int = 1,
    as_of: date = date(2025, 3, 1),
    groups: Mapping[str, tuple[float, float, float]] = GROUPS,
    spread: float = 0.05,
    first: int = 0,
) -> pd.DataFrame:
    """`each` customers of every group, well apart; their ids tell the group and are in no order of theirs."""
    rng = np.random.default_rng(seed)
    rows = []
    for name, middle in groups.items():
        for number in range(first, first + each):
            noise = rng.normal(0, spread, 3)
            rows.append(
                {
                    "customer_id": f"{(number * 7919) % 100_003:06d}-{name}",
                    "as_of": as_of,
                    "net_sales": VALUE.get(name, 100.0) * (1 + 0.01 * rng.random()),
                    "largest_spend": np.exp(middle[1] + 1),
                    "log_purchase_rate": middle[0] + noise[0],
                    "log_spend": middle[1] + noise[1],
                    "coupon_share": middle[2] + noise[2] / 4,
                }
            )
    return telling(pd.DataFrame(rows))


def telling(people: pd.DataFrame) -> pd.DataFrame:
    """The customers with what tells that their traits count: figures of their own as far apart, and no chance."""
    own = {
        f"own_{trait.name}": people[trait.name].map(trait.readable_value).astype(float) for trait in SEGMENTATION_TRAITS
    }
    return people.assign(**own, **{f"reliability_{trait.name}": 1.0 for trait in SEGMENTATION_TRAITS})


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows by customer, as a fit takes them."""
    return frame.sort_values("customer_id", kind="stable").reset_index(drop=True)


def shuffled(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The same rows in another order, with another index."""
    return frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)


def group_of(customer_id: str) -> str:
    """The group a customer was made in."""
    return customer_id.split("-")[1]
