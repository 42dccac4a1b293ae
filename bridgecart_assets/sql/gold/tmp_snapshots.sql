-- Every customer as of every period opening and as of now: sums per span between two dates, then running totals.
-- needs: periods, clock, sales, purchase_days
-- gives: snapshot_dates, snapshots, to_score, is_in_force()

create or replace temp table snapshot_dates as
select period as as_of from periods
union
select as_of from clock;

create or replace temp table snapshots as
with spans as (
    select d.purchased_on, min(s.as_of) as as_of
    from (select distinct purchased_on from sales) d
    join snapshot_dates s on s.as_of > d.purchased_on
    group by d.purchased_on
),
moves as (
    select
        s.customer_id, s.customer_hash, spans.as_of,
        count(*) filter (where order_kind = 'purchase') as orders,
        count(*) filter (where order_kind = 'zero') as zero_value_orders,
        count(*) filter (where order_kind = 'refund') as refunds,
        count(*) filter (where order_kind = 'purchase' and coupon_used) as coupon_orders,
        sum(net_amount) filter (where order_kind = 'purchase') as purchase_sales,
        sum(net_amount) as net_sales
    from sales s
    join spans using (purchased_on)
    group by s.customer_id, s.customer_hash, spans.as_of
),
day_moves as (
    select
        p.customer_id, spans.as_of,
        count(*) as frequency, min(p.purchased_on) as first_on, max(p.purchased_on) as last_on,
        sum(p.log_net) as log_spend_sum
    from purchase_days p
    join spans using (purchased_on)
    group by p.customer_id, spans.as_of
),
grid as (
    select c.customer_id, c.customer_hash, s.as_of
    from (select customer_id, customer_hash, min(as_of) as earliest from moves group by all) c
    join snapshot_dates s on s.as_of >= c.earliest
),
totals as (
    select
        grid.customer_id, grid.customer_hash, grid.as_of,
        sum(coalesce(m.orders, 0)) over history as orders,
        sum(coalesce(m.zero_value_orders, 0)) over history as zero_value_orders,
        sum(coalesce(m.refunds, 0)) over history as refunds,
        sum(coalesce(m.coupon_orders, 0)) over history as coupon_orders,
        sum(coalesce(m.purchase_sales, 0)) over history as purchase_sales,
        sum(coalesce(m.net_sales, 0)) over history as net_sales,
        sum(coalesce(d.frequency, 0)) over history as frequency,
        sum(coalesce(d.log_spend_sum, 0)) over history as log_spend_sum,
        min(d.first_on) over history as first_purchased_on,
        max(d.last_on) over history as last_purchased_on,
        lead(d.first_on ignore nulls) over history as next_purchased_on
    from grid
    left join moves m using (customer_id, as_of)
    left join day_moves d using (customer_id, as_of)
    window history as (partition by grid.customer_id order by grid.as_of)
)
select * from totals;

create or replace temp view to_score as
select * from snapshots;

create or replace temp macro is_in_force(decided_on, as_of) as decided_on = as_of;
