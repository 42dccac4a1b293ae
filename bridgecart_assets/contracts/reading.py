"""Settings and rules by which records are read: all that silver depends on besides raw.

It is on record for each batch (`silver.readings`), and `bridgecart run --remap` reads again what was read otherwise.
"""

RULES_VERSION = 1
"""To be raised whenever the same record, read with the same settings, becomes another row."""

READ_WITH: tuple[str, ...] = (
    "amount_is_net",
    "max_payload_bytes",
    "naive_timezone",
    "calendar_timezone",
    "currency",
    "order_events",
)
"""Names of the settings; one more is another entry."""
