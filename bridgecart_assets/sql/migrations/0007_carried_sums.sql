-- What customers' orders add up to is carried from batch to batch, and no longer looked for among everybody's.
-- Features are a view, of what is stored of each customer, as of a date that is on record.
alter table if exists gold.refreshes add column if not exists as_of date;
alter table if exists gold.refreshes alter column state drop not null;
drop table if exists gold.customer_features;
-- What changed is kept order by order.
drop table if exists silver.changed_customers;
drop table if exists silver.touched_orders;
-- What every batch's orders add up to, day by day; the formula is that of sql/silver/batch_sums.sql.
create schema if not exists silver;
create table if not exists silver.batch_sums (
    batch_key varchar not null, purchased_on date not null, purchases bigint not null, zero_value_orders bigint not null,
    refunds bigint not null, purchase_sales decimal(18, 2) not null, net_sales decimal(18, 2) not null,
    fingerprint hugeint not null
);
delete from silver.batch_sums;
-- There may be no orders yet.
set variable stored_orders = (
    select case when count(*) > 0 then 'from silver.orders' else 'select null::varchar as batch_key, null::date as '
        'purchased_on, null::varchar as order_kind, null::decimal(18, 2) as net_amount, null::bigint as customer_hash '
        'where false' end
    from duckdb_tables()
    where database_name = current_database() and schema_name = 'silver' and table_name = 'orders'
);
insert into silver.batch_sums
select
    batch_key, purchased_on,
    count(*) filter (where order_kind = 'purchase'),
    count(*) filter (where order_kind = 'zero'),
    count(*) filter (where order_kind = 'refund'),
    coalesce(sum(net_amount) filter (where order_kind = 'purchase'), 0),
    sum(net_amount),
    sum(((net_amount::decimal(38, 2) * 100)::hugeint + 1) * (customer_hash & 4294967295))
from query(getvariable('stored_orders'))
group by batch_key, purchased_on;
reset variable stored_orders;

-- Segments are a view, of what the models say of each customer.
drop table if exists gold.customer_segments;
-- Snapshots and the membership of segments are views, of what is carried on from opening to opening.
drop table if exists gold.customer_snapshots;
drop table if exists gold.segment_membership;
