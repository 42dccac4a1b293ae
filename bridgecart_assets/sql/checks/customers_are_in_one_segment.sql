with problems as (
    select f.customer_id is null as has_no_features, count(*) as segments
    from gold.customer_features f
    full join gold.customer_segments s using (customer_id)
    group by customer_id, f.customer_id is null, s.customer_id is null
    having count(*) <> 1 or f.customer_id is null or s.customer_id is null
),
unscored as (
    select count(*) as customers
    from gold.customer_features f
    join gold.customer_segments s using (customer_id)
    where f.log_orders is not null and s.segment_key = 'unassigned'
        and exists (select 1 from gold.segment_model where status = 'active')
)
select 'customers in no or several segments' as problem, count(*) as customers from problems having count(*) > 0
union all
select 'customers with purchases but without segment', customers from unscored where customers > 0
