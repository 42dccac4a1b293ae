"""The truth about each customer, kept apart from the events: what later work is scored against."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bridgecart_assets.synthetic.customers import STILL_ALIVE, Customers
from bridgecart_assets.synthetic.events import customer_key
from bridgecart_assets.synthetic.personas import PERSONAS
from bridgecart_assets.synthetic.world import World


def write_truth(world: World, path: Path) -> None:
    """Write one row per customer that arrives before the horizon to a Parquet file, all of it or nothing.

    Columns: customer_id, persona, purchase_rate_per_day, dropout_probability (after each purchase),
    log_spend_mean and log_spend_sd (of ln net INR per order), coupon_affinity, arrived_at and died_at (UTC:
    the first purchase, and the one it dropped out after; NULL when alive at the horizon). Missing directories
    are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(_truth_table(world.customers), unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _truth_table(customers: Customers) -> pa.Table:
    instant = pa.timestamp("ms", tz="UTC")
    personas = np.array([persona.name for persona in PERSONAS])
    return pa.table(
        {
            "customer_id": [customer_key(row).decode() for row in range(len(customers))],
            "persona": pa.array(personas[customers.persona], pa.string()),
            "purchase_rate_per_day": customers.rate,
            "dropout_probability": customers.dropout,
            "log_spend_mean": customers.log_spend_mean,
            "log_spend_sd": customers.log_spend_sd,
            "coupon_affinity": customers.coupon_affinity,
            "arrived_at": pa.array(customers.arrived_ms, instant),
            "died_at": pa.array(customers.died_ms, instant, mask=customers.died_ms == STILL_ALIVE),
        }
    )
