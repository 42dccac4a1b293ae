-- What is to be gained or kept, by kind, segment and lifecycle: the customers, the money and the figures behind it. No
-- money without 30 customers, nor where one makes more than half of it; the reason says why.
-- needs: customer_cells, came_back, reference_opening
-- gives: rows

with silent as (
    select
        case when lifecycle = 'dormant' then 'win_back' else 'second_purchase' end as kind,
        segment_key, lifecycle, silence, sum(customers) as customers
    from customer_cells
    where lifecycle = 'dormant' or (bought_once and lifecycle <> 'at risk')
    group by all
),
-- As many of them buy again as bought of those who had been silent as long.
compared as (
    select
        s.*, b.customers as like_them, b.came,
        (s.customers * b.came::double / b.customers)::decimal(18, 2) as expected,
        (s.customers * b.brought::double / b.customers)::decimal(18, 2) as brought,
        (s.customers * b.most::double / b.customers)::decimal(18, 2) as most
    from silent s
    left join came_back b using (kind, segment_key, silence)
),
looked_at as (
    select
        'keep' as kind, segment_key, lifecycle,
        sum(customers) as customers,
        sum(predicted_clv) as money,
        max(largest_predicted) as largest,
        case when money is null then max(no_prediction_reason) end as unknown
    from customer_cells
    where lifecycle = 'at risk'
    group by segment_key, lifecycle
    union all by name
    select
        kind, segment_key, lifecycle,
        coalesce(sum(customers) filter (where like_them is not null), 0) as customers,
        sum(customers) as in_group,
        sum(brought) as money,
        max(most) as largest,
        sum(like_them) as like_them, sum(came) as came, sum(expected) as expected,
        -- As many of one silence would tell as much.
        (sum(customers) filter (like_them is not null))::double ** 2 / sum(customers::double ** 2 / like_them) as told_by,
        case
            when (select opened_on from reference_opening) is null then 'short_history'
            when money is null then 'nobody_like_them'
        end as unknown
    from compared
    group by kind, segment_key, lifecycle
    union all by name
    select
        case coupon_use when 'without' then 'needless_coupons' else 'coupon_dependence' end as kind,
        segment_key, lifecycle,
        sum(customers) as customers,
        sum(case coupon_use when 'without' then coupon_discounts else discounts_beyond end) as money,
        max(case coupon_use when 'without' then largest_discount else largest_beyond end) as largest,
        sum(with_coupon) as with_coupon, sum(without_coupon) as without_coupon,
        sum(coupon_discounts) as coupon_discounts,
        (sum(coupon_discounts) / nullif(sum(gross), 0))::decimal(18, 6) as discount_share,
        any_value(shop_discount_share) as shop_discount_share
    from customer_cells
    where lifecycle in ('new', 'active') and coupon_use is not null
    group by coupon_use, segment_key, lifecycle
    union all by name
    select
        'returns' as kind, segment_key, lifecycle,
        sum(customers) as customers, sum(refunded_beyond) as money, max(largest_refunded) as largest,
        sum(given_back) as refunded, sum(sales) as sales,
        (sum(given_back) / nullif(sum(sales), 0))::decimal(18, 6) as refund_share,
        any_value(shop_refund_share) as shop_refund_share
    from customer_cells
    where lifecycle <> 'dormant' and is_returner
    group by segment_key, lifecycle
),
judged as (
    select
        l.*,
        case
            when coalesce(in_group, customers) < 30 then 'few_customers'
            when unknown is not null then unknown
            when customers < 30 then 'nobody_like_them'
            when money <= 0 then 'nothing'
            when 2 * largest > money then 'one_customer'
        end as reason
    from looked_at l
),
-- Wilson's interval of 95 %, as of the churn rate.
ranged as (
    select
        *,
        case when reason is null then expected::double / customers end as rate,
        3.8416 / told_by as wide,
        1.96 * sqrt((rate * (1 - rate) + wide / 4) / told_by) as spread
    from judged
)
select
    kind, segment_key, lifecycle, customers, coalesce(in_group, customers) as in_group,
    case when reason is null then money end as money,
    reason,
    r.opened_on, r.days,
    like_them, came,
    case when reason is null then expected end as expected,
    case when rate is not null then (customers * greatest(0, (rate + wide / 2 - spread) / (1 + wide)))::decimal(18, 2) end
        as fewest,
    case when rate is not null then (customers * least(1, (rate + wide / 2 + spread) / (1 + wide)))::decimal(18, 2) end
        as most,
    case when reason is null then (money / nullif(expected, 0))::decimal(18, 2) end as each,
    with_coupon, without_coupon, coupon_discounts, discount_share, shop_discount_share,
    refunded, sales, refund_share, shop_refund_share
from ranged
cross join reference_opening r
order by case when reason is null then 0 else 1 end, money desc, kind, segment_key, lifecycle
