-- What became of all records, how many of each. Refunds from inside of orders are no records.
-- needs: raw.orders, silver.orders, silver.duplicate_orders, silver.conflicting_orders, silver.superseded_orders,
--     silver.order_lines, silver.rejected_orders, silver.skipped_records
-- gives: rows

select
    (select count(*) from raw.orders) as records,
    (select count(*) from silver.orders where part = 0) as orders,
    (select count(*) from silver.orders where part > 0) as refunds_in_orders,
    (select count(*) from silver.order_lines) as order_lines,
    (select count(*) from silver.duplicate_orders) as duplicates,
    (select count(*) from silver.conflicting_orders) as conflicting,
    (select count(*) from silver.superseded_orders where standing = 'superseded') as superseded,
    (select count(*) from silver.superseded_orders where standing = 'void') as void,
    (select coalesce(sum(records), 0)::bigint from silver.skipped_records) as skipped,
    (select count(*) from silver.rejected_orders) as rejected
