-- Every customer as of every period opening and as of now: sums per span between two dates, then running totals, each of
-- which stands until the customer's next one.
-- needs: periods, clock, sales, customer_days, log_of_day()
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
        customer_id, customer_hash, spans.as_of,
        sum(orders) as orders,
        sum(zero_value_orders) as zero_value_orders,
        sum(refunds) as refunds,
        sum(coupon_orders) as coupon_orders,
        coalesce(sum(spend), 0) as purchase_sales,
        sum(net_sales) as net_sales,
        count(spend) as frequency,
        coalesce(sum(log_of_day(spend)), 0) as log_spend_sum,
        min(purchased_on) filter (where spend is not null) as first_on,
        max(purchased_on) filter (where spend is not null) as last_on
    from customer_days
    join spans using (purchased_on)
    group by customer_id, customer_hash, spans.as_of
),
totals as (
    select
        customer_id, customer_hash, as_of,
        sum(orders) over history as orders,
        sum(zero_value_orders) over history as zero_value_orders,
        sum(refunds) over history as refunds,
        sum(coupon_orders) over history as coupon_orders,
        sum(purchase_sales) over history as purchase_sales,
        sum(net_sales) over history as net_sales,
        sum(frequency) over history as frequency,
        sum(log_spend_sum) over history as log_spend_sum,
        min(first_on) over history as first_purchased_on,
        max(last_on) over history as last_purchased_on,
        lead(first_on ignore nulls) over history as next_purchased_on,
        lead(as_of) over history as next_as_of
    from moves
    window history as (partition by customer_id order by as_of)
)
-- As narrow as what is stored: sums over sums are twice as wide, and there is a row a customer and period.
select
    s.as_of, customer_id, customer_hash, first_purchased_on, last_purchased_on, next_purchased_on,
    orders::integer as orders,
    zero_value_orders::integer as zero_value_orders,
    refunds::integer as refunds,
    coupon_orders::integer as coupon_orders,
    purchase_sales::decimal(18, 2) as purchase_sales,
    net_sales::decimal(18, 2) as net_sales,
    frequency::integer as frequency,
    log_spend_sum::decimal(18, 9) as log_spend_sum
from totals t
join snapshot_dates s on s.as_of >= t.as_of and s.as_of < coalesce(t.next_as_of, 'infinity'::date);

create or replace temp view to_score as
select *, null::varchar as side from snapshots;

create or replace temp macro is_in_force(decided_on, as_of) as decided_on = as_of;
