-- What customers bought, were given with coupons, and gave back in the last 365 days: each, and as shares of all.
-- needs: silver.orders, reference_opening
-- gives: past_year, past_year_of_all

create or replace temp table past_year as
select
    o.customer_hash,
    o.customer_id,
    coalesce(sum(o.gross_amount) filter (where o.order_kind = 'purchase'), 0) as gross,
    coalesce(sum(o.net_amount) filter (where o.order_kind = 'purchase'), 0) as sales,
    coalesce(-sum(o.net_amount) filter (where o.order_kind = 'refund'), 0) as refunded,
    count(distinct o.purchased_on) filter (where o.order_kind = 'refund') as refund_days,
    count(*) filter (where o.order_kind = 'purchase' and o.coupon_used) as with_coupon,
    count(*) filter (where o.order_kind = 'purchase' and not o.coupon_used) as without_coupon,
    coalesce(sum(o.discount_amount) filter (where o.order_kind = 'purchase' and o.coupon_used), 0) as coupon_discounts
from silver.orders o
cross join reference_opening r
where o.purchased_on >= r.as_of - 365 and o.purchased_on < r.as_of
group by o.customer_hash, o.customer_id;

create or replace temp table past_year_of_all as
select
    (sum(refunded)::double / nullif(sum(sales), 0)::double)::decimal(18, 6) as refund_share,
    (sum(coupon_discounts)::double / nullif(sum(gross), 0)::double)::decimal(18, 6) as discount_share
from past_year
