-- What the number of rows does not say of where all records ended: refunds inside orders are rows and no records, records
-- that a mapping leaves out have no row.
-- needs: silver.orders, silver.skipped_records
-- gives: rows

select
    (select count(*) from silver.orders where part > 0) as refunds_inside,
    (select coalesce(sum(records), 0)::bigint from silver.skipped_records) as skipped
