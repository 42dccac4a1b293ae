from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bridgecart_assets.synthetic import Event, World, WorldConfig, simulate, write_truth
from bridgecart_assets.synthetic.personas import PERSONAS


@pytest.fixture(scope="module")
def truth(small: World, tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    path = tmp_path_factory.mktemp("truth") / "made" / "truth.parquet"
    write_truth(small, path)
    return pq.read_table(path)


def test_the_truth_has_its_columns_and_types(truth: pa.Table) -> None:
    instant = pa.timestamp("ms", tz="UTC")
    assert dict(zip(truth.schema.names, truth.schema.types, strict=True)) == {
        "customer_id": pa.string(),
        "persona": pa.string(),
        "purchase_rate_per_day": pa.float64(),
        "dropout_probability": pa.float64(),
        "log_spend_mean": pa.float64(),
        "log_spend_sd": pa.float64(),
        "coupon_affinity": pa.float64(),
        "arrived_at": instant,
        "died_at": instant,
    }


def test_only_died_at_may_be_null(truth: pa.Table) -> None:
    nulls = {name: truth[name].null_count for name in truth.schema.names}
    assert 0 < nulls.pop("died_at") < truth.num_rows
    assert set(nulls.values()) == {0}


def test_every_customer_of_the_events_is_in_the_truth_once(
    truth: pa.Table, small_history: list[Event], small_live: list[Event]
) -> None:
    seen = {event.key.decode() for event in small_history + small_live if event.key is not None}
    customers = truth["customer_id"].to_pylist()
    assert len(customers) == len(set(customers))
    assert seen == set(customers)


def test_personas_are_named_and_chances_are_chances(truth: pa.Table) -> None:
    assert set(truth["persona"].to_pylist()) == {persona.name for persona in PERSONAS}
    assert min(truth["purchase_rate_per_day"].to_pylist()) > 0
    for name in ("dropout_probability", "coupon_affinity"):
        assert all(0 < value < 1 for value in truth[name].to_pylist())


def test_customers_arrive_with_their_first_and_die_with_their_last_purchase(small: World, truth: pa.Table) -> None:
    purchases = small.orders.take(small.orders.gross_cents > 0)
    for row in (0, len(small.customers) // 2, len(small.customers) - 1):
        bought = purchases.ordered_ms[purchases.customer == row]
        arrived, died = (truth[name].cast(pa.int64())[row].as_py() for name in ("arrived_at", "died_at"))
        assert arrived == bought.min()
        assert died in (None, bought.max())


def test_the_customer_whose_surplus_is_cut_off_dies_with_its_last_order() -> None:
    untouched = simulate(WorldConfig(orders=500)).customers
    cut = 0
    for orders in range(1, 12):
        world = simulate(WorldConfig(orders=orders))
        last = len(world.customers) - 1
        purchases = world.orders.take(world.orders.gross_cents > 0)
        if world.customers.died_ms[last] != untouched.died_ms[last]:
            cut += 1
            assert world.customers.died_ms[last] == purchases.ordered_ms[purchases.customer == last].max()
    assert cut > 0


def test_a_second_write_replaces_the_first_and_leaves_nothing_else(small: World, tmp_path: Path) -> None:
    path = tmp_path / "truth.parquet"
    write_truth(simulate(WorldConfig(orders=0)), path)
    assert pq.read_table(path).num_rows == 0
    write_truth(small, path)
    assert pq.read_table(path).num_rows == len(small.customers)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_what_was_there(small: World, tmp_path: Path) -> None:
    path = tmp_path / "truth.parquet"
    path.mkdir()
    with pytest.raises(OSError, match="truth"):
        write_truth(small, path)
    assert list(tmp_path.iterdir()) == [path]
