-- What customers bought, were given with coupons, and gave back in the last 365 days: each, and as shares of all.
-- needs: silver.orders, reference_opening
-- gives: past_year_purchases, past_year_refunds, past_year_of_all

create or replace temp table past_year_purchases as
select
    o.customer_hash,
    o.customer_id,
    sum(o.gross_amount) as gross,
    sum(o.net_amount) as sales,
    count(*) filter (where o.coupon_used) as with_coupon,
    count(*) filter (where not o.coupon_used) as without_coupon,
    sum(case when o.coupon_used then o.discount_amount else 0 end) as coupon_discounts
from silver.orders o
cross join reference_opening r
where o.order_kind = 'purchase' and o.purchased_on >= r.as_of - 365 and o.purchased_on < r.as_of
group by o.customer_hash, o.customer_id;

create or replace temp table past_year_refunds as
select
    o.customer_hash, o.customer_id, -sum(o.net_amount) as refunded, count(distinct o.purchased_on) as refund_days
from silver.orders o
cross join reference_opening r
where o.order_kind = 'refund' and o.purchased_on >= r.as_of - 365 and o.purchased_on < r.as_of
group by o.customer_hash, o.customer_id;

create or replace temp table past_year_of_all as
select
    (coalesce(refunded, 0)::double / nullif(sales, 0)::double)::decimal(18, 6) as refund_share,
    (coupon_discounts::double / nullif(gross, 0)::double)::decimal(18, 6) as discount_share
from (select sum(sales) as sales, sum(gross) as gross, sum(coupon_discounts) as coupon_discounts from past_year_purchases)
cross join (select sum(refunded) as refunded from past_year_refunds)
