"""`bridgecart up`: options and words; `up_servers.py` does it."""

import click


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address on which the Dagster UI listens. It has no login: 0.0.0.0 lets everybody in.",
)
@click.option("--port", default=3000, type=click.IntRange(1, 65_535), show_default=True, help="Port of the Dagster UI.")
@click.option(
    "--rate",
    default=5.0,
    type=click.FloatRange(min=0),
    show_default=True,
    help="Made-up orders a second (embedded broker); 0: none.",
)
def up(*, host: str, port: int, rate: float) -> None:
    """Dagster UI with the sensor on, and the report; without a configured broker also a broker and live orders."""
    from bridgecart_assets.commands.up_servers import serve
    from bridgecart_assets.processes.listening import Listener

    serve(Listener(host, port), orders_per_second=rate, say=lambda line: print(line, flush=True))
