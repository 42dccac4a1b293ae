-- The customers who have bought, in one pass: sums by segment, lifecycle, silence and habit. Of the last 365 days, coupon
-- use is 'without' for who bought more often without a coupon than with one, 'with' for who bought with one at least three
-- times and as often as without. Returners gave back on three days or more and more than three times the shop's share;
-- what was refunded counts up to what was bought, because the rest is of older purchases.
-- needs: gold.customer_segments, gold.customer_features, past_year_purchases, past_year_refunds, past_year_of_all,
--     silence_of(), $churn_window_days
-- gives: customer_cells

create or replace temp table customer_cells as
with customers as (
    select
        s.segment_key, s.lifecycle, s.net_sales, s.predicted_clv, s.no_prediction_reason,
        f.frequency = 1 as bought_once,
        silence_of(f.recency_days, $churn_window_days) as silence,
        p.* exclude (customer_hash, customer_id),
        a.refund_share as shop_refund_share,
        a.discount_share as shop_discount_share,
        case
            when p.with_coupon > 0 and p.without_coupon > p.with_coupon then 'without'
            when p.with_coupon >= 3 and p.with_coupon >= p.without_coupon then 'with'
        end as coupon_use,
        (p.coupon_discounts - a.discount_share * p.gross)::decimal(18, 2) as discounts_beyond,
        -- Nothing where nothing was bought: a refund of older purchases.
        least(coalesce(r.refunded, 0), coalesce(p.sales, 0)) as given_back,
        coalesce(r.refund_days >= 3 and given_back > 3 * a.refund_share * p.sales, false) as is_returner,
        (given_back - a.refund_share * p.sales)::decimal(18, 2) as refunded_beyond
    from gold.customer_segments s
    join gold.customer_features f using (customer_hash, customer_id)
    left join past_year_purchases p using (customer_hash, customer_id)
    left join past_year_refunds r using (customer_hash, customer_id)
    cross join past_year_of_all a
    where s.lifecycle is not null
)
select
    segment_key, lifecycle, silence, bought_once, coupon_use, is_returner,
    count(*) as customers,
    sum(net_sales) as net_sales,
    count(predicted_clv) as predicted_customers,
    sum(predicted_clv) as predicted_clv,
    max(predicted_clv) as largest_predicted,
    max(no_prediction_reason) as no_prediction_reason,
    sum(gross) as gross,
    sum(sales) as sales,
    sum(with_coupon) as with_coupon,
    sum(without_coupon) as without_coupon,
    sum(coupon_discounts) as coupon_discounts,
    max(coupon_discounts) as largest_discount,
    sum(discounts_beyond) as discounts_beyond,
    max(discounts_beyond) as largest_beyond,
    any_value(shop_discount_share) as shop_discount_share,
    sum(given_back) as given_back,
    sum(refunded_beyond) as refunded_beyond,
    max(refunded_beyond) as largest_refunded,
    any_value(shop_refund_share) as shop_refund_share
from customers
group by segment_key, lifecycle, silence, bought_once, coupon_use, is_returner
