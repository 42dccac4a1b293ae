"""`bridgecart demo`: options and words; `demo_world.py` does it."""

import click

from bridgecart_assets.commands.console import progress, stdout_console, usage_errors
from bridgecart_assets.commands.kpis import print_kpis
from bridgecart_assets.commands.run import exit_on_failed_checks, print_summary


@click.command()
@click.option("--orders", default=100_000, show_default=True, help="Number of made-up purchases.")
@click.option("--seed", default=7, show_default=True, help="Same seed, same orders.")
def demo(*, orders: int, seed: int) -> None:
    """Everything at once: a broker, 18 months of made-up orders, the pipeline, the KPIs."""
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.demo_world import run_demo
    from bridgecart_assets.synthetic import WorldConfig
    from bridgecart_assets.warehouse.published_kpis import kpi_rows

    with usage_errors():
        config = WorldConfig(seed=seed, orders=orders)
    console = stdout_console()
    with progress() as (sent, step):
        outcome = run_demo(config, sent=lambda count: sent(count, orders), progress=step)
    manifest = outcome.manifest
    print(
        f"{manifest.events:,} events sent = {outcome.summary.orders:,} orders and refunds"
        f" + {outcome.summary.duplicates:,} duplicates + {outcome.summary.rejected:,} rejected."
    )
    print(
        f"{manifest.customers:,} customers, {manifest.repeat_share:.0%} with repeat orders."
        f" Sales {outcome.kpi_sales:,.2f} in the events, in silver and in the KPIs."
    )
    print_summary(outcome.summary)
    settings = load_settings()
    print_kpis(console, kpi_rows(settings.published_dir), settings, period=None)
    print("Next: `bridgecart report --open` shows more of the figures, `bridgecart up` opens the Dagster UI.")
    exit_on_failed_checks(outcome.summary)
