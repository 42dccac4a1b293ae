-- Erases the records in `erased` and the customers in `leaving`. What is not theirs stays as it is: their records keep
-- their places, an order that lost to one of theirs takes its place in stage_contest, after this.

-- Before anything goes: the last period of the KPI tables opened with them.
merge into gold.erased_value as kept
using (
    select $kpi_period as period_unit, s.as_of as period, s.segment_key, count(*) as customers,
        sum(s.net_sales) as net_sales
    from gold.customer_snapshots s
    where s.customer_id in (select customer_id from leaving) and s.as_of = (select max(period) from kpi.clv_growth)
    group by s.as_of, s.segment_key
) as gone using (period_unit, period, segment_key)
when matched then update set customers = kept.customers + gone.customers, net_sales = kept.net_sales + gone.net_sales
when not matched then insert values (
    gone.period_unit, gone.period, gone.segment_key, gone.customers, gone.net_sales
);

-- Who comes back after the data clock's day is a new customer.
merge into raw.forgotten_customers as kept
using (
    select distinct
        customer_hash,
        (select coalesce(min(salt), $salt) from raw.forgotten_customers) as salt,
        (select coalesce(max(purchased_at)::date + 1, date '1990-01-01') from silver.orders)::timestamp as until
    from leaving
) as gone using (customer_hash)
when matched then update set forgotten_before = greatest(kept.forgotten_before, gone.until)
when not matched then insert values (gone.customer_hash, gone.salt, gone.until);

create temp table claimed as
select order_key, purchased_at from silver.orders semi join erased using (topic_id, "partition", "offset")
union
select order_key, purchased_at from silver.duplicate_orders semi join erased using (topic_id, "partition", "offset");

create temp table accepted as from silver.orders limit 0;

create temp table refused as
select topic_id, "partition", "offset", kafka_timestamp, batch_key, 'orders' as stood_in
from silver.orders semi join erased using (topic_id, "partition", "offset")
union all
select topic_id, "partition", "offset", kafka_timestamp, batch_key, 'duplicate_orders'
from silver.duplicate_orders semi join erased using (topic_id, "partition", "offset")
union all
select topic_id, "partition", "offset", kafka_timestamp, batch_key, 'rejected_orders'
from silver.rejected_orders semi join erased using (topic_id, "partition", "offset");

delete from silver.orders using erased e
where (orders.topic_id, orders."partition", orders."offset") = (e.topic_id, e."partition", e."offset");

delete from silver.duplicate_orders d using erased e
where (d.topic_id, d."partition", d."offset") = (e.topic_id, e."partition", e."offset");

delete from silver.rejected_orders r using erased e
where (r.topic_id, r."partition", r."offset") = (e.topic_id, e."partition", e."offset");

insert into silver.rejected_orders by name
select * exclude (stood_in), ['forgotten'] as reasons, forgotten_payload() as payload from refused;

update raw.orders set payload = forgotten_payload(), key = null, headers = null
from erased e
where (orders.topic_id, orders."partition", orders."offset") = (e.topic_id, e."partition", e."offset");
