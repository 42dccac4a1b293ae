"""`bridgecart report`: options and words."""

import click

from bridgecart_assets.base.errors import BridgeCartError


@click.command()
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@click.option("--serve", "serves", is_flag=True, help="Write nothing: serve what refreshes write, until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --serve: address on which it listens.")
@click.option("--port", default=3001, type=click.IntRange(1, 65_535), show_default=True, help="With --serve: its port.")
def report(*, opens: bool, serves: bool, host: str, port: int) -> None:
    """Write the report: KPIs, segments, churn, models and the pipeline's health on one web page.

    Every refresh does so too. The file needs no network and no server: it is safe to share.
    `bridgecart up` serves it; --serve is for where Dagster runs without `up`. It has no login, as `up` has none.
    """
    import webbrowser

    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.orchestration.status import health_of
    from bridgecart_assets.report.writing import write_report

    settings = load_settings()
    if serves:
        from bridgecart_assets.commands.report_server import serve_report
        from bridgecart_assets.processes.listening import Listener

        serve_report(settings, Listener(host, port), say=lambda line: print(line, flush=True))
    written = write_report(settings, health_of(settings).for_report()).resolve()
    print(f"Report: {written}")
    if opens and not webbrowser.open(written.as_uri()):
        raise BridgeCartError(f"No browser opened: open {written.as_uri()} in one.")
