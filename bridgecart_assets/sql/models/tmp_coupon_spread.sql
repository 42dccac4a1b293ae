-- Variance between customers of the share of purchases with coupon: that of their own shares, without what chance gives
-- to shares of few purchases. In fixed point: the sums do not depend on the order of the rows.
-- needs: gold.customer_features
-- gives: coupon_spread

create or replace temp table coupon_spread as
with pooled as (
    select sum(coupon_orders)::double / nullif(sum(orders), 0) as share from gold.customer_features where frequency > 0
)
select coalesce(greatest(
    sum((power(coupon_orders / orders - share, 2) - share * (1 - share) / orders)::decimal(18, 9))::double
    / nullif(sum((1 - 1 / orders)::decimal(18, 9)), 0)::double, 0
), 0) as coupon_share_variance
from gold.customer_features cross join pooled
where frequency > 0;
