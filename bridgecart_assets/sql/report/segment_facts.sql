-- The orders until now by current segment of the customer, month of the first purchase and month of age: facts, not model
-- traits. A month of age is 30 days, the first of them begins with the first purchase and holds what was before it.
-- needs: silver.orders, gold.customer_features, gold.customer_segments, $most_ages
-- gives: since_first_purchase, segment_facts

create or replace temp table since_first_purchase as
select
    s.segment_key,
    date_trunc('month', f.first_purchased_on)::date as cohort,
    -- All that the grid does not show is one more.
    least(greatest(o.purchased_on - f.first_purchased_on, 0) // 30, $most_ages) as age,
    count(*) filter (where o.order_kind = 'purchase') as orders,
    coalesce(sum(o.net_amount) filter (where o.order_kind = 'purchase'), 0) as purchase_sales,
    coalesce(-sum(o.net_amount) filter (where o.order_kind = 'refund'), 0) as refunded,
    count(*) filter (where o.order_kind = 'purchase' and o.coupon_used) as with_coupon,
    count(o.coupon_used) filter (where o.order_kind = 'purchase') as coupon_known,
    sum(o.net_amount) as net_sales,
    count(distinct o.customer_id) filter (where o.order_kind = 'purchase') as buyers
from silver.orders o
join gold.customer_features f using (customer_hash, customer_id)
join gold.customer_segments s using (customer_hash, customer_id)
where o.purchased_on < s.as_of and f.first_purchased_on is not null
group by s.segment_key, cohort, age;

-- What the customers of each segment, and all of them ('all'), did until now.
create or replace temp table segment_facts as
with bought as (
    select
        coalesce(segment_key, 'all') as segment_key,
        sum(orders) as orders, sum(purchase_sales) as purchase_sales, sum(refunded) as refunded,
        sum(with_coupon) as with_coupon, sum(coupon_known) as coupon_known
    from since_first_purchase
    group by grouping sets ((segment_key), ())
),
days as (
    select
        coalesce(s.segment_key, 'all') as segment_key,
        sum(f.frequency) as purchase_days,
        -- From the first purchase to now, both days counted.
        sum(f.tenure_days + 1) as days,
        count(*) as customers,
        sum(f.net_sales) as net_sales
    from gold.customer_segments s
    join gold.customer_features f using (customer_hash, customer_id)
    where f.frequency > 0
    group by grouping sets ((s.segment_key), ())
)
select
    segment_key,
    round(365 * d.purchase_days::double / d.days, 6) as purchase_days_a_year,
    round(d.purchase_days::double / d.customers, 6) as purchase_days_each,
    round(d.days::double / d.customers, 6) as days_each,
    round(d.net_sales::double / d.purchase_days, 2) as net_a_purchase_day,
    round(b.purchase_sales::double / b.orders, 2) as average_order_value,
    round(b.refunded::double / b.purchase_sales::double, 6) as refund_share,
    round(b.orders::double / d.purchase_days, 6) as orders_a_purchase_day,
    round(b.with_coupon::double / nullif(b.coupon_known, 0), 6) as coupon_share
from days d
join bought b using (segment_key)
where d.days > 0
