"""Columns that tables of several layers share."""

from bridgecart_assets.contracts.contract import BATCH_COLUMN, INSTANT, Column

UNASSIGNED = "unassigned"
ID_COLUMN = "customer_id"

# Wider than money: sums over all customers.
SUM = "DECIMAL(38,2)"

CUSTOMER_HASH = Column("customer_hash", "BIGINT", "63 bits of the MD5 of customer_id: finds a customer's rows fast")

BATCH = Column(BATCH_COLUMN, "VARCHAR", "Batch (Dagster partition) that brought the row", audit=True)
KAFKA_TIME = Column(
    "kafka_timestamp", INSTANT, "Kafka timestamp of the record, UTC; NULL when the broker has none", nullable=True
)
PAYLOAD = Column(
    "payload",
    "BLOB",
    'Value of the record, untouched; NULL is a tombstone, {"forgotten": true} was erased',
    nullable=True,
    compression="zstd",
)

SEGMENT_KEY = Column("segment_key", "VARCHAR", "Segment key (S01, ...), never reused; 'unassigned' without a segment")

SEGMENT = (
    SEGMENT_KEY,
    Column("segment", "VARCHAR", "Name of the segment in the current model version"),
)


def coordinates(of: str = "the record", prefix: str = "") -> tuple[Column, ...]:
    """Columns for the place of a record in Kafka."""
    return (
        Column(
            f"{prefix}topic_id",
            "VARCHAR",
            f"Id of the topic incarnation of {of}; of an imported file: file: and its SHA-256",
        ),
        Column(f"{prefix}partition", "INTEGER", f"Kafka partition of {of}; 0 in a file"),
        Column(f"{prefix}offset", "BIGINT", f"Kafka offset of {of}; in a file: its row, from 0"),
    )


def validity(begins: str) -> tuple[Column, ...]:
    """The interval in which a row of a history (SCD type 2) holds."""
    return (
        Column("valid_from", "DATE", f"Start of the interval, inclusive: {begins}"),
        Column(
            "valid_to", "DATE", "End of the interval, exclusive: start of the next; NULL while it lasts", nullable=True
        ),
        Column("is_current", "BOOLEAN", "True on the row that holds now: the one without an end"),
    )
