"""The number that says whose orders are worth how much."""

from decimal import Decimal

import duckdb
from hypothesis import example, given
from hypothesis import strategies as st

from bridgecart_assets.contracts.contract import MONEY
from bridgecart_assets.sql import read_sql

_MOST = 10**18 - 1


@given(st.integers(-_MOST, _MOST), st.integers(0, 2**62), st.integers(0, 2**63 - 1))
@example(_MOST, 1, 2**63 - 1)
@example(-_MOST, 1, 2**63 - 1)
@example(-1, 0, 1)
def test_it_is_exact_for_every_amount_that_silver_can_hold(cents: int, orders: int, customer_hash: int):
    with duckdb.connect() as connection:
        connection.execute(read_sql("silver/tmp_fingerprint_macro"))
        ((found,),) = connection.execute(
            f"select fingerprint_of(?::bigint, ?::{MONEY}, ?::bigint)",
            [customer_hash, Decimal(cents).scaleb(-2), orders],
        ).fetchall()
    assert found == (cents + orders) * (customer_hash & 0xFFFFFFFF)
