-- A batch whose records do not all stand in one of silver's tables.
-- needs: raw.orders, known_events, silver.skipped_records, silver.rejected_orders, $batch_key
-- gives: rows

with counted as (
    select
        (select count(*) from raw.orders where batch_key = $batch_key) as raw,
        count(*) filter (where stands_in = 'orders') as orders,
        count(*) filter (where stands_in = 'order_lines') as lines,
        count(*) filter (where stands_in = 'duplicate_orders') as duplicates,
        count(*) filter (where stands_in = 'conflicting_orders') as conflicting,
        count(*) filter (where stands_in = 'superseded_orders') as superseded,
        (select coalesce(sum(records), 0)::bigint from silver.skipped_records where batch_key = $batch_key) as skipped,
        (select count(*) from silver.rejected_orders where batch_key = $batch_key) as rejected
    from known_events
    where batch_key = $batch_key
)
select $batch_key as batch_key, *
from counted
where raw <> orders + lines + duplicates + conflicting + superseded + skipped + rejected
