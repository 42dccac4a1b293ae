"""Raw tables: the records as they arrived, and the ledger of the batches."""

from bridgecart_assets.contracts.columns import BATCH, KAFKA_TIME, PAYLOAD, coordinates
from bridgecart_assets.contracts.contract import Column, Contract

RAW_ORDERS = Contract(
    schema="raw",
    name="orders",
    meaning="Each record of the topic as it arrived, payload untouched.",
    columns=(
        *coordinates(),
        KAFKA_TIME,
        Column("timestamp_type", "VARCHAR", "create or append; NULL when the broker has no timestamp", nullable=True),
        Column("key", "BLOB", "Key of the record", nullable=True),
        Column("headers", "STRUCT(name VARCHAR, value BLOB)[]", "Headers of the record, in order", nullable=True),
        PAYLOAD,
        BATCH,
    ),
    key=("topic_id", "partition", "offset"),
)

_OFFSETS = 'STRUCT("partition" INTEGER, "start" BIGINT, "end" BIGINT)[]'

RAW_BATCHES = Contract(
    schema="raw",
    name="batches",
    meaning="Ledger of the batches: the offsets of each, written in the same transaction as its records.",
    columns=(
        Column("batch_key", "VARCHAR", "Batch: UTC instant at which it was planned"),
        Column("topic", "VARCHAR", "Kafka topic, or name of the imported file"),
        Column("topic_id", "VARCHAR", "Id of the topic incarnation"),
        Column("cluster_id", "VARCHAR", "Id of the Kafka cluster", nullable=True),
        Column("ranges", _OFFSETS, "Half-open offset range [start, end) per Kafka partition, ordered by partition"),
        Column("lost", _OFFSETS, "Holes right before the ranges: removed by retention before any batch had read them"),
        Column("planned_records", "BIGINT", "Sum of the lengths of the ranges"),
        Column("records", "BIGINT", "Records read; fewer than planned where the broker itself has gaps"),
        Column(
            "last_records",
            'STRUCT("partition" INTEGER, "offset" BIGINT, digest VARCHAR)[]',
            "Last record of each Kafka partition, with a digest of its time, key and payload: whether it still stands "
            "is asked before the next batch is believed. NULL in batches from before that was kept",
            nullable=True,
        ),
        Column(
            "mapping",
            "VARCHAR",
            "Text of the mapping that reads the rows of an imported file; NULL: BridgeCart's own event, or a topic",
            nullable=True,
        ),
    ),
    key=("batch_key",),
)

RAW_SCHEMAS = Contract(
    schema="raw",
    name="schemas",
    meaning="Schemas by which records are decoded, as their registry had them: fetched while raw is written.",
    columns=(
        Column("registry", "VARCHAR", "Address of the schema registry, without login"),
        Column("schema_id", "INTEGER", "Id of the schema in it, which records carry in front of their bytes"),
        Column("kind", "VARCHAR", "AVRO, PROTOBUF or JSON"),
        Column("schema", "VARCHAR", "Text of the schema"),
        Column("references", "VARCHAR", "JSON list of the schemas that it names: name in it, and schema_id"),
    ),
    key=("registry", "schema_id"),
)
"""No asset: it is kept beside `raw.orders`, and no batch owns a row of it."""
