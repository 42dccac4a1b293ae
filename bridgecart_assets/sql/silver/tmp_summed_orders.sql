-- Orders of several lines: amounts are summed, the category is that of the largest sum, a coupon of any line counts.
-- Everything else is as the first line says.
-- needs: ranked_events
-- gives: summed_orders

create temp table summed_orders as
with lines as (
    select * exclude (stands_in) from ranked_events where stands_in = 'order_lines'
),
sums as (
    select
        order_key,
        sum(gross_amount)::decimal(18, 2) as gross_amount,
        sum(discount_amount)::decimal(18, 2) as discount_amount,
        sum(net_amount)::decimal(18, 2) as net_amount,
        bool_or(coupon_used) as coupon_used,
        count(*)::integer as lines
    from lines
    group by order_key
),
categories as (
    select order_key, product_category, abs(sum(net_amount)) as size
    from lines
    where product_category is not null
    group by order_key, product_category
),
largest as (
    select order_key, first(product_category order by size desc, product_category) as product_category
    from categories
    group by order_key
)
select
    first_line.* exclude (winner_topic_id, winner_partition, winner_offset) replace (
        case when order_kind = 'refund' then 'refund' when sums.net_amount > 0 then 'purchase' else 'zero' end as order_kind,
        sums.gross_amount as gross_amount,
        sums.discount_amount as discount_amount,
        sums.net_amount as net_amount,
        sums.coupon_used as coupon_used,
        largest.product_category as product_category
    ),
    sums.lines
from lines first_line
join sums using (order_key)
left join largest using (order_key)
where (topic_id, "partition", "offset") = (winner_topic_id, winner_partition, winner_offset);
