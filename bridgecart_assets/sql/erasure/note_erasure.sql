-- Notes who is forgotten, the customers in `customers_to_erase`, and what they were worth.
-- needs: gold.erased_value, gold.customer_openings, customers_to_erase, kpi.clv_growth, raw.forgotten_customers,
--     silver.orders, $kpi_period, $salt, $calendar_timezone
-- gives: nothing
-- changes: gold.erased_value, raw.forgotten_customers

-- Before anything goes: the last period of the KPI tables opened with them.
merge into gold.erased_value as kept
using (
    select $kpi_period as period_unit, s.as_of as period, s.segment_key, count(*) as customers,
        sum(s.net_sales) as net_sales
    from gold.customer_openings s
    where s.customer_id in (select customer_id from customers_to_erase)
        and s.as_of = (select max(period) from kpi.clv_growth)
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
        (
            select coalesce(max(purchased_on) + 1, date '1990-01-01')::timestamp
                at time zone $calendar_timezone at time zone 'UTC'
            from silver.orders
        ) as until
    from customers_to_erase
) as gone using (customer_hash)
when matched then update set forgotten_before = greatest(kept.forgotten_before, gone.until)
when not matched then insert values (gone.customer_hash, gone.salt, gone.until);
