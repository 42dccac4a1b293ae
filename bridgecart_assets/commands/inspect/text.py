"""Tables and lines of `bridgecart inspect`."""

from collections.abc import Iterator

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.commands.console import stdout_console, table_with
from bridgecart_assets.commands.inspect.dry_run import DryRun
from bridgecart_assets.commands.inspect.forms import NO_VALUE
from bridgecart_assets.commands.inspect.look import Look

_MEANINGS = {
    "orders": "",
    "refunds_in_orders": "refunds from inside of these orders",
    "order_lines": "lines of orders that have several",
    "duplicates": "they say what another record of their order says",
    "conflicting": "they say something else than the record of their order that counts",
    "superseded": "earlier states of an order",
    "void": "orders that were cancelled or deleted",
    "skipped": "no orders, says the mapping",
    "rejected": "orders that cannot be read: see below",
}
_ALWAYS = ("orders", "rejected")


def print_look(look: Look) -> None:
    """Print what the records look like."""
    print(f"{look.records:,} records of {look.source}")
    print(f"values: {look.values.text}")
    if look.keys.counts.keys() != {NO_VALUE}:
        print(f"keys:   {look.keys.text}")
    if look.shape is not None:
        preset = f' (preset = "{look.shape.preset}")' if look.shape.is_preset else ""
        preset = ": it needs no mapping" if look.is_own else preset
        print(f"It looks like {look.shape.meaning}{preset}.")
    if look.remedy is not None:
        print(f"! {look.remedy}")
    table = table_with("Path", "Type", "Filled>", "Example, masked")
    # Of a path that is cut off nobody can make an expression.
    table.columns[0].overflow = "fold"
    for path in look.paths:
        table.add_row(path.name, path.type, f"{look.share(path):.0%}", path.example)
    if look.paths:
        stdout_console().print(table)


def print_dry_run(tried: DryRun, settings: Settings) -> None:
    """Print what became of the records."""
    print(f"{tried.events['records']:,} records of {tried.source}. Nothing was stored.\n")
    print(*_events(tried), sep="\n")
    if tried.rejections:
        _print_rejections(tried)
    if tried.months:
        _print_months(tried, settings)


def too_many_rejects(tried: DryRun, settings: Settings) -> str | None:
    """A line where more records are rejected than the settings bear."""
    if tried.reject_share <= settings.max_reject_share:
        return None
    return (
        f"{tried.reject_share:.1%} of the records are rejected, more than {settings.max_reject_share:.1%} "
        "(BRIDGECART_MAX_REJECT_SHARE): mend the mapping, or let it skip what is no order ([records] where)."
    )


def _events(tried: DryRun) -> Iterator[str]:
    for name, meaning in _MEANINGS.items():
        count = tried.events[name]
        if count or name in _ALWAYS:
            line = f"{name.replace('_', ' '):18}{count:10,}   {meaning if count else ''}"
            yield line.rstrip()


def _print_rejections(tried: DryRun) -> None:
    table = table_with("Rejected for", "Records>", "For example, masked")
    for rejection in tried.rejections:
        for place, example in enumerate(rejection.examples):
            first = (rejection.reason, f"{rejection.records:,}") if place == 0 else ("", "")
            table.add_row(*first, example)
    stdout_console().print(table)


def _print_months(tried: DryRun, settings: Settings) -> None:
    table = table_with("Month", "Orders>", "Sales>", "Refunds>", "Net sales>")
    for month in tried.months:
        amounts = [f"{month[name]:,.2f}" for name in ("sales", "refunds", "net_sales")]
        table.add_row(month["month"], f"{month['orders']:,}", *amounts)
    stdout_console().print(table)
    print(
        "Hold a month against the shop's own books. It is whole only if all its records were looked at (--records).\n"
        f"Months are those of the shop's calendar ({settings.calendar_timezone})."
    )
