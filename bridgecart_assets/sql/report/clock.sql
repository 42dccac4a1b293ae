-- How far the data reach by the shop's clock, and how many periods they fill.
-- needs: silver.orders, gold.customer_segments, kpi.clv_growth, $calendar_timezone
-- gives: rows

select
    (select max(purchased_at) at time zone 'UTC' at time zone $calendar_timezone from silver.orders) as newest_order_at,
    (select max(as_of) from gold.customer_segments) as as_of,
    (select count(distinct period) from kpi.clv_growth) as periods
