"""`bridgecart evaluate`: options and tables; `evaluate_world.py` does it."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bridgecart_assets.commands.console import progress, stdout_console, table_with, usage_errors

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bridgecart_assets.commands.evaluate_world import Evaluation, Recovery, SegmentHoldout, Stability
    from bridgecart_assets.models.evaluation import Calibration, Forecast


@click.command()
@click.option("--customers", default=100_000, show_default=True, help="Customers in the world's history, about.")
@click.option("--orders", type=int, help="Purchases in the world's history, instead of --customers.")
@click.option("--seed", default=7, show_default=True, help="Same seed, same orders.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def evaluate(*, customers: int, orders: int | None, seed: int, as_json: bool) -> None:
    """Segments and predictions of a made-up world against its truth and what its customers bought next.

    Works in a temporary warehouse: no broker, and nothing in the data directory is read or written.
    """
    from bridgecart_assets.commands.evaluate_world import ORDERS_A_CUSTOMER, evaluate_world
    from bridgecart_assets.synthetic import WorldConfig

    with usage_errors():
        config = WorldConfig(seed=seed, orders=customers * ORDERS_A_CUSTOMER if orders is None else orders)
    console = stdout_console()
    with progress() as (_, step):
        evaluation = evaluate_world(config, progress=step)
    if as_json:
        print(json.dumps(evaluation.to_json(), indent=2))
    else:
        _print_evaluation(console, evaluation)


def _print_evaluation(console: "Console", evaluation: "Evaluation") -> None:
    print(f"World of seed {evaluation.seed}: {evaluation.orders:,} orders of {evaluation.customers:,} customers.")
    console.print(_recovery_table(evaluation.recovery))
    console.print(_calibration_table(evaluation))
    for held_out in evaluation.holdouts:
        console.print(_forecast_table(f"Purchase days in {held_out.days} days", held_out.purchases))
        console.print(_forecast_table(f"Sales in {held_out.days} days", held_out.sales))
        console.print(_segments_table(held_out.days, held_out.segments))
    console.print(_stability_table(evaluation.stability))
    if not evaluation.stability.refit_is_settled:
        print("The refit would have waited for a person: segments changed their meaning.")


def _recovery_table(recoveries: "Sequence[Recovery]") -> "Table":
    table = table_with("Segments against personas", "Segments>", "Adjusted Rand index>")
    for recovery in recoveries:
        table.add_row(recovery.method, str(recovery.segments), f"{recovery.adjusted_rand_index:.3f}")
    return table


def _calibration_table(evaluation: "Evaluation") -> "Table":
    table = table_with("Probability of", "Predicted>", "Actual>", "Calibration error>", "AUC>")
    table.add_row("still being alive", *_calibration_cells(evaluation.alive))
    for held_out in evaluation.holdouts:
        table.add_row(f"no purchase in {held_out.days} days", *_calibration_cells(held_out.silence))
    return table


def _forecast_table(heading: str, forecasts: "Sequence[Forecast]") -> "Table":
    from bridgecart_assets.warehouse.published_kpis import percent

    table = table_with(heading, "Total>", "Error>", "Per customer>", "Rank corr.>")
    table.add_row("actual", f"{forecasts[0].actual:,.0f}", "", "", "")
    for each in forecasts:
        table.add_row(
            each.method,
            f"{each.predicted:,.0f}",
            percent(each.error, signed=True),
            f"{each.customer_error:,.2f}",
            "-" if each.rank_correlation is None else f"{each.rank_correlation:.3f}",
        )
    return table


def _segments_table(days: int, segments: "Sequence[SegmentHoldout]") -> "Table":
    from bridgecart_assets.warehouse.published_kpis import percent

    table = table_with(f"{days} days by segment", "Purchases>", "Sales>", "Calibration>")
    for each in segments:
        table.add_row(
            each.segment,
            percent(each.purchases.error, signed=True),
            percent(each.sales.error, signed=True),
            f"{each.silence.error:.3f}",
        )
    return table


def _stability_table(stability: "Stability") -> "Table":
    table = table_with("Share of customers whose segment", "Share>")
    tries = len(stability.reseeded)
    table.add_row(f"stays with other seeds and row orders (worst of {tries})", _exact(stability.worst))
    table.add_row("is the same under a refit 30 days later", _exact(stability.refitted))
    table.add_row("is the same 30 days later, with their new orders", _exact(stability.stayed))
    table.add_row("in SQL is the one that scikit-learn predicts", _exact(stability.predicted))
    return table


def _calibration_cells(score: "Calibration") -> tuple[str, str, str, str]:
    auc = "-" if score.auc is None else f"{score.auc:.3f}"
    return f"{score.predicted:.1%}", f"{score.actual:.1%}", f"{score.error:.3f}", auc


def _exact(share: float) -> str:
    """A share of which the last missing customer shows."""
    return f"{share:.4%}" if share < 1 else "100%"
