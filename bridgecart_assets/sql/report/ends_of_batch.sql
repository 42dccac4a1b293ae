-- Where the records of the batch ended. Of those that are superseded some say that their order is void; refunds inside
-- orders are rows and no records.
-- needs: raw.orders, silver.orders, silver.order_lines, silver.duplicate_orders, silver.conflicting_orders,
--     silver.superseded_orders, silver.skipped_records, silver.rejected_orders, $batch_key
-- gives: rows

select
    (select count(*) from raw.orders where batch_key = $batch_key) as records,
    (select count(*) from silver.orders where batch_key = $batch_key and lines = 1 and part = 0) as orders,
    (select count(*) from silver.order_lines where batch_key = $batch_key) as lines,
    (select count(*) from silver.duplicate_orders where batch_key = $batch_key) as duplicates,
    (select count(*) from silver.conflicting_orders where batch_key = $batch_key) as conflicting,
    (select count(*) from silver.superseded_orders where batch_key = $batch_key) as superseded,
    (select count(*) from silver.superseded_orders where batch_key = $batch_key and standing = 'void') as void,
    (select coalesce(sum(records), 0)::bigint from silver.skipped_records where batch_key = $batch_key) as skipped,
    (select count(*) from silver.rejected_orders where batch_key = $batch_key) as rejected,
    (select count(*) from silver.orders where batch_key = $batch_key and part > 0) as refunds_inside
