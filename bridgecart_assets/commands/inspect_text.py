"""Tables and lines of `bridgecart inspect`."""

from bridgecart_assets.commands.console import stdout_console, table_with
from bridgecart_assets.commands.inspect_look import Look


def print_look(look: Look) -> None:
    """Print what the records look like."""
    print(f"{look.records:,} records of {look.source}")
    print(f"values: {look.values.text}\nkeys:   {look.keys.text}")
    if look.shape is not None:
        preset = f' (preset = "{look.shape.preset}")' if look.shape.preset else ": it needs no mapping"
        print(f"It looks like {look.shape.meaning}{preset}.")
    if look.remedy is not None:
        print(f"! {look.remedy}")
    table = table_with("Path", "Type", "Filled>", "Example, masked")
    for path in look.paths:
        table.add_row(path.name, path.type, f"{look.share(path):.0%}", path.example)
    if look.paths:
        stdout_console().print(table)
