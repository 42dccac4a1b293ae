"""A platform that looks as if it had taken in its records in very many batches, made in seconds from a single one.

Reported through Dagster one by one, ten thousand batches take a quarter of an hour: its rows are copied instead.
"""

import sqlite3
import uuid
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg

from bridgecart_assets.base.settings import Settings
from bridgecart_assets.contracts import BATCH_COLUMN, TABLES
from bridgecart_assets.orchestration.batch_status import PARTITION_TAG
from bridgecart_assets.orchestration.partitions import BATCHES
from bridgecart_assets.orchestration.storage.packed_text import packed, unpacked
from bridgecart_assets.warehouse.from_settings import warehouse_from_settings
from bridgecart_assets.warehouse.storage.database import Warehouse, table_exists

_FIRST = datetime(2025, 1, 1, tzinfo=UTC)

# Every Kafka partition is cut into equal ranges; with fewer records than batches most ranges are empty.
_CUT = """
create temp table cut as
with spans as (
    select topic, topic_id, cluster_id, r."partition", min(r."start") as first, max(r."end") as last
    from (select *, unnest(ranges) as r from raw.batches)
    group by all
)
select
    k.key, topic, topic_id, cluster_id, s."partition",
    first + (last - first) * place // $batches as starts_at,
    first + (last - first) * (place + 1) // $batches as ends_at
from spans s, (select unnest($keys) as key, generate_subscripts($keys, 1) - 1 as place) k
"""
_DEAL = """
update {table} set batch_key = cut.key from cut
where (cut.topic_id, cut."partition") = ({table}.topic_id, {table}."partition")
    and cut.starts_at < cut.ends_at and {table}."offset" >= cut.starts_at and {table}."offset" < cut.ends_at
"""
_LEDGER = """
insert into raw.batches
select
    key, topic, topic_id, cluster_id,
    list({'partition': "partition", 'start': starts_at, 'end': ends_at} order by "partition"), [],
    sum(ends_at - starts_at), sum(ends_at - starts_at), null, null
from cut
group by key, topic, topic_id, cluster_id
"""
_READINGS = """
insert into silver.readings
select b.batch_key, r.rules_version, r.settings, r.mapping
from raw.batches b, (from silver.readings limit 1) r
where b.batch_key not in (select batch_key from silver.readings);
delete from silver.readings where batch_key not in (select batch_key from raw.batches)
"""
_TEMPLATES = """
create temp table of_the_batch as
select * from event_logs where partition = ?1 and dagster_event_type = 'ASSET_MATERIALIZATION';
create temp table checks_of_the_batch as
select * from asset_check_executions where partition = ?1
"""
_EVENTS = """
insert into event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
select ?1, packed(replace(unpacked(event), ?2, ?3)), dagster_event_type, timestamp, step_key, asset_key, ?3
from of_the_batch
"""
_CHECKS = """
insert into asset_check_executions (
    asset_key, check_name, partition, run_id, execution_status, evaluation_event, evaluation_event_timestamp)
select asset_key, check_name, ?3, ?1, execution_status, packed(replace(unpacked(evaluation_event), ?2, ?3)),
    evaluation_event_timestamp
from checks_of_the_batch
"""
_RUNS = """
insert into runs (run_id, snapshot_id, pipeline_name, mode, status, run_body, partition, start_time, end_time)
select ?1, snapshot_id, pipeline_name, mode, status,
    packed(replace(replace(unpacked(run_body), run_id, ?1), ?2, ?3)), ?3, start_time, end_time
from runs
where run_id = ?4
"""
_TAGS = (
    "insert into run_tags (run_id, key, value) select ?1, key, replace(value, ?2, ?3) from run_tags where run_id = ?4"
)


def split_the_batch(settings: Settings, instance: dg.DagsterInstance, batches: int) -> list[str]:
    """Make many batches of the one there is, in the warehouse and in Dagster's storage; their keys, in order.

    Rows, ledger, registry, runs, materializations and check results are those that many batches would have left.
    """
    ((only,),) = [instance.get_dynamic_partitions(str(BATCHES.name))]
    keys = [(_FIRST + timedelta(seconds=10 * n)).strftime("%Y%m%dT%H%M%SZ") for n in range(batches)]
    _split_warehouse(warehouse_from_settings(settings), keys)
    instance.delete_dynamic_partition(str(BATCHES.name), only)
    instance.add_dynamic_partitions(str(BATCHES.name), keys)
    (run,) = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: only}))
    copies = [(str(uuid.uuid4()), only, key, run.run_id) for key in keys]
    history = settings.dagster_home / "history"
    with closing(sqlite3.connect(history / "runs" / "index.db")) as events, events:
        _speak_of_packed_texts(events)
        # Neither table has an index by partition.
        for template in _TEMPLATES.split(";"):
            events.execute(template, [only])
        for statement in (_EVENTS, _CHECKS):
            events.executemany(statement, [copy[:3] for copy in copies])
    with closing(sqlite3.connect(history / "runs.db")) as runs, runs:
        _speak_of_packed_texts(runs)
        for statement in (_RUNS, _TAGS):
            runs.executemany(statement, copies)
    return keys


def _speak_of_packed_texts(connection: sqlite3.Connection) -> None:
    for function in (packed, unpacked):
        connection.create_function(function.__name__, 1, function)


def _split_warehouse(warehouse: Warehouse, keys: Sequence[str]) -> None:
    with warehouse.transaction() as connection:
        connection.execute(_CUT, {"keys": list(keys), "batches": len(keys)})
        for contract in TABLES.values():
            if {"offset", BATCH_COLUMN} <= set(contract.column_names) and table_exists(connection, contract):
                connection.execute(_DEAL.format(table=contract.full_name))
        connection.execute("delete from raw.batches")
        connection.execute(_LEDGER)
        connection.execute(_READINGS)
