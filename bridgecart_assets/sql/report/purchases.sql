-- Purchases by period, current segment of the customer and one attribute: none, product category or payment method.
-- needs: silver.orders, gold.customer_segments, shown_periods, $kpi_period, $most_values
-- gives: rows

with bought as (
    select
        date_trunc($kpi_period, o.purchased_on)::date as period,
        s.segment_key,
        coalesce(o.product_category, 'not given') as category,
        coalesce(o.payment_method, 'not given') as payment,
        o.coupon_used, o.gross_amount, o.discount_amount, o.net_amount
    from silver.orders o
    join gold.customer_segments s using (customer_hash, customer_id)
    where o.order_kind = 'purchase'
        and o.purchased_on < s.as_of
        and o.purchased_on >= (select min(period) from shown_periods)
),
known as (
    select attribute, value, row_number() over (partition by attribute order by count(*) desc, value) as rank
    from (
        select 'category' as attribute, category as value from bought
        union all
        select 'payment', payment from bought
    )
    group by attribute, value
),
-- Of attributes with very many values, the commonest.
named as (
    select
        b.* replace (
            case when c.rank <= $most_values then b.category else 'other' end as category,
            case when p.rank <= $most_values then b.payment else 'other' end as payment
        )
    from bought b
    join known c on c.attribute = 'category' and c.value = b.category
    join known p on p.attribute = 'payment' and p.value = b.payment
)
select
    period, segment_key,
    case grouping(category, payment) when 1 then 'category' when 2 then 'payment' else 'none' end as attribute,
    coalesce(category, payment, '') as value,
    count(*) as orders,
    sum(net_amount) as sales,
    sum(gross_amount) as gross,
    sum(discount_amount) as discounts,
    count(*) filter (where discount_amount > 0) as discounted,
    count(*) filter (where coupon_used) as with_coupon,
    count(coupon_used) as coupon_known
from named
group by grouping sets ((period, segment_key, category), (period, segment_key, payment), (period, segment_key))
order by attribute, period, segment_key, value
