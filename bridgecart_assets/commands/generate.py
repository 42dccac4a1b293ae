"""`bridgecart generate`: options and words; `generate_orders.py` does it."""

import click

from bridgecart_assets.commands.console import progress, usage_errors


@click.command()
@click.option("--orders", default=100_000, show_default=True, help="Purchases in the world's history.")
@click.option("--seed", default=7, show_default=True, help="Same seed, same orders.")
@click.option("--live", is_flag=True, help="Go on with live orders; history is sent only if the warehouse has none.")
@click.option("--rate", default=5.0, show_default=True, help="Live orders a second.")
def generate(*, orders: int, seed: int, live: bool, rate: float) -> None:
    """Send made-up orders to the topic: 18 months of history, with --live also what follows."""
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.generate_orders import send_history, send_live
    from bridgecart_assets.orchestration.resources import Platform
    from bridgecart_assets.orchestration.status import data_clock
    from bridgecart_assets.synthetic import WorldConfig, simulate

    with usage_errors():
        config = WorldConfig(seed=seed, orders=orders)
        if rate <= 0:
            raise ValueError(f"--rate must be positive, got {rate:g}")
    connection = Platform().kafka
    world = simulate(config)
    clock = data_clock(load_settings()) if live else None
    if clock is None:
        with progress() as (sent, _):
            count = send_history(connection, world, lambda done: sent(done, orders))
        print(f"{count:,} events sent to topic {connection.topic}.", flush=True)
    if live:
        after = max(clock, config.end) if clock else config.end
        count = send_live(connection, world, after=after, per_second=rate, report=lambda _: None)
        print(f"The world ends here: {count:,} live events sent.")
