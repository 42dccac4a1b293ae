"""The cost model finds the costs that made the figures, and says what it makes of a size that it has not seen."""

import pytest

from benchmarks.benchmark import Figures
from benchmarks.cost_model import CostModel, section
from benchmarks.costs import BENCHMARK
from benchmarks.measuring import Rounds
from benchmarks.results import Result

SHAPES = ((1e5, 1e4, 1e5), (1e6, 1e5, 1e6), (1e6, 2e4, 3e5), (3e6, 3e5, 6e6), (1e7, 1e6, 1e7), (2e7, 1e6, 1.5e7))


def measured(orders: float, customers: float, snapshots: float) -> Figures:
    """A machine on which everything costs what it costs; snapshots cost a batch nothing."""
    stored = {"orders": orders, "customers": customers, "snapshots": snapshots, "few": 1_000, "many": 10_000}
    batch = 4 + 0.1e-6 * orders + 0.2e-6 * customers
    return {
        **stored,
        "whole_seconds": 2 + 1e-6 * orders + 3e-6 * customers + 2e-6 * snapshots,
        "few_seconds": batch + 0.05,
        "many_seconds": batch + 0.5,
        "file_bytes": 1e6 + 60 * orders + 200 * customers + 30 * snapshots,
    }


def test_the_costs_that_made_the_figures_are_found():
    model = CostModel.fit([measured(*shape) for shape in SHAPES])
    assert model.whole.costs == pytest.approx({"fixed": 2, "orders": 1e-6, "customers": 3e-6, "snapshots": 2e-6})
    per_batch = {"fixed": 4, "orders": 0.1e-6, "customers": 0.2e-6, "snapshots": 0.0, "batch": 0.05e-3}
    assert model.batch.costs == pytest.approx(per_batch, abs=1e-12)
    assert model.file.costs == pytest.approx({"fixed": 1e6, "orders": 60, "customers": 200, "snapshots": 30})


def test_the_section_checks_the_model_on_the_shape_it_was_not_fitted_to_and_goes_on_to_a_billion_orders():
    sides = [Rounds(str(shape), [measured(*shape)]) for shape in SHAPES]
    lines = section(Result.of(BENCHMARK, "full", BENCHMARK.full, sides))
    assert "| everything anew, s | 55.0 | 55.0 | 1.00 |" in lines
    assert "| a batch of 10,000, s | 6.7 | 6.7 | 1.00 |" in lines
    # Fifty times the last shape: 2 + 1,000 + 150 + 1,500 seconds.
    assert "| everything anew, minutes | 44 | 17 | 2 | 25 |" in lines


def test_no_cost_is_negative_whatever_was_measured():
    figures = [{**measured(*shape), "whole_seconds": 100.0 - number} for number, shape in enumerate(SHAPES)]
    assert min(CostModel.fit(figures).whole.costs.values()) >= 0
