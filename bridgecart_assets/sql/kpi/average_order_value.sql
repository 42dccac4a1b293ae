-- Sales an order, by the segment that the customer was in when the period opened.
-- needs: flows, frame
-- gives: kpi.average_order_value

with counted as (
    select
        period, opening_key as segment_key,
        sum(bought) as customers,
        sum(orders) as orders,
        sum(zero_value_orders) as zero_value_orders,
        sum(refunds) as refunds,
        sum(purchase_sales) as sales,
        -- What is neither bought nor free.
        sum(purchase_sales - net_sales) as refunded
    from flows
    group by period, opening_key
)
select
    f.*,
    coalesce(c.customers, 0) as customers,
    coalesce(c.orders, 0) as orders,
    coalesce(c.zero_value_orders, 0) as zero_value_orders,
    coalesce(c.refunds, 0) as refunds,
    coalesce(c.sales, 0) as sales,
    case when c.orders > 0 then c.sales::double / c.orders end as average_order_value,
    case when coalesce(c.orders, 0) = 0 then 'no_orders' end as average_order_value_reason,
    coalesce(c.refunded, 0) as refunded,
    case when c.orders > 0 then c.refunded::double / c.sales::double end as refund_share,
    case when c.orders > 0 then (c.sales - c.refunded)::double / c.orders end as average_order_value_after_refunds,
    coalesce(c.customers, 0) < 30 as low_sample
from frame f
left join counted c using (period, segment_key)
