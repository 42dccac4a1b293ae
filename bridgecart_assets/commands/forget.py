"""`bridgecart forget`: options and words; `forget_customers.py` does it."""

import json

import click

from bridgecart_assets.commands.console import progress
from bridgecart_assets.commands.run import exit_on_failed_checks, print_checks


@click.command()
@click.argument("customer_ids", metavar="CUSTOMER_ID...", nargs=-1, required=True, help="Ids as in the events.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def forget(*, customer_ids: tuple[str, ...], as_json: bool) -> None:
    """Erase customers: from every table and published file, and from records that are read again.

    Their value at the opening of the current period becomes `removed` in the CLV bridge. There is no way back.
    """
    from dataclasses import asdict

    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.forget_customers import LEFT, forget_customers

    with progress() as (_, step):
        done = forget_customers(load_settings(), customer_ids, progress=step)
    erasure, summary = done.erasure, done.summary
    if as_json:
        print(json.dumps({**asdict(erasure), **summary.checks_to_json(), "left": LEFT}, indent=2))
    else:
        print(
            f"{erasure.customers:,} customer(s) forgotten: {erasure.records:,} records erased, of these"
            f" {erasure.orders:,} orders, {erasure.duplicates:,} duplicates, {erasure.rejected:,} rejected"
            f"{f', {erasure.beside:,} other events of their orders' if erasure.beside else ''}."
        )
        print_checks(summary)
        print(LEFT)
    exit_on_failed_checks(summary)
