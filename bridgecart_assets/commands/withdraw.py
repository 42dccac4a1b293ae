"""`bridgecart withdraw`: options and words; `withdraw_order.py` does it."""

import json

import click

from bridgecart_assets.commands.console import progress
from bridgecart_assets.commands.run import exit_on_failed_checks, print_checks


@click.command()
@click.argument("order_id", metavar="ORDER_ID", help="Id as in the events.")
@click.option("--customer", "customer_id", help="Whose order it is, where several customers have one of this id.")
@click.option("--reason", help="Why, for the record; it is kept, so name nobody.")
@click.option("--undo", is_flag=True, help="Let a withdrawn order count again.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def withdraw(*, order_id: str, customer_id: str | None, reason: str | None, undo: bool, as_json: bool) -> None:
    """Take back an order that should not count, as one with a wrong date or amount.

    Its records are rejected as `withdrawn`, now and whenever they are read again, also when it is sent once more.
    """
    from bridgecart_assets.base.settings import load_settings
    from bridgecart_assets.commands.withdraw_order import withdraw_order
    from bridgecart_assets.warehouse.withdrawal import OrderName

    if undo == bool(reason and reason.strip()):
        raise click.UsageError("give --reason TEXT, or --undo.")
    order = OrderName(order_id.strip(), customer_id.strip() if customer_id else None)
    with progress() as (_, step):
        done = withdraw_order(load_settings(), order, None if undo else reason, progress=step)
    if as_json:
        print(json.dumps({"records": done.records, **done.summary.checks_to_json()}, indent=2))
    else:
        print(f"Order {'counts again' if undo else 'withdrawn'}: {done.records:,} record(s).")
        print_checks(done.summary)
    exit_on_failed_checks(done.summary)
