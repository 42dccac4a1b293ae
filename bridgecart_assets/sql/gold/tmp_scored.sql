-- What the models say about every row of `traits`: predictions, nearest and second nearest centroid.
-- needs: gold.segment_model, levelled, gold.purchase_model, log_spend_of(), purchase_forecasts,
--     $churn_window_days, $clv_margin, $clv_horizon_days
-- gives: segments_in_place, segmentations, squared(), assigned, forecasts, figure_within(), figure_at_most(),
--     refund_share_of(), scored

-- The segments of a version by key, each in its place.
create or replace temp table segments_in_place as
select
    *, row_number() over (order by version, segment_key) as number,
    row_number() over (partition by version order by segment_key) as place
from gold.segment_model;

-- A version in one row, with columns for as many segments as there can be. A row a customer and segment, or a list of
-- the segments, costs several times as much.
create or replace temp table segmentations as
select
    version, min(number) - 1 as before,
    any_value(mean_{trait}) as mean_{trait}, any_value(scale_{trait}) as scale_{trait},
    any_value(centroid_{place_trait}) filter (where place = {trait_place}) as {place_trait}_{trait_place},
from segments_in_place
group by version;

-- Not power(): a product is rounded alike on every machine.
create or replace temp macro squared(number) as number * number;

create or replace temp view assigned as
with standardised as (
    select
        t.*, m.* exclude (version),
        (t.{trait} - m.mean_{trait}) / m.scale_{trait} as z_{trait},
    from levelled t
    left join segmentations m on m.version = t.segment_version
),
measured as (
    select
        *,
        sqrt({squared_distance}) as distance_{place},
    from standardised
),
-- Of two as near, the one with the lower key comes first. The NULL of a place without a segment is passed over.
nearest as (
    select *, least(
        distance_{place},
        null
    ) as distance
    from measured
),
placed as (
    select *, case
        when distance_{place} = distance then {place}
    end as nearest_place
    from nearest
),
next_nearest as (
    select *, least(
        case when nearest_place <> {place} then distance_{place} end,
        null
    ) as next_distance
    from placed
),
next_placed as (
    select *, case
        when nearest_place <> {place} and distance_{place} = next_distance then {place}
    end as next_place
    from next_nearest
)
select
    n.* exclude (
        before,
        mean_{trait}, scale_{trait}, z_{trait},
        {place_trait}_{trait_place},
        distance_{place},
        distance, nearest_place, next_distance, next_place
    ),
    s.segment_key,
    s.largest_spend as segment_largest_spend,
    r.segment_key as runner_up_key,
    case when next_distance + distance > 0
        then (next_distance - distance) / (next_distance + distance) end as confidence
from next_placed n
left join segments_in_place s on s.number = n.before + n.nearest_place
left join segments_in_place r on r.number = n.before + n.next_place;

-- What the model says of a kind of customer, and not of this one alone, once a kind: there are few of them.
-- Without a forecast a version makes no predictions.
create or replace temp table forecasts as
select
    f.*,
    m.as_of as model_as_of, m.refund_share_mean, m.largest_mean_spend, m.spend_model, m.log_spend_scale, m.log_spend_mean,
    m.log_spend_variance_within as within, m.log_spend_variance_between as between_customers,
    m.spend_prior_days, m.spend_mean,
    $clv_margin as clv_margin, $clv_horizon_days::double as horizon_days, $churn_window_days::double as window_days,
    -- There is no logarithm of no drop-out.
    case when f.a > 0 then ln(f.a / (f.b + f.frequency - 1)) end as log_dropout_odds,
    f.r + f.frequency - 1 as shape,
    f.alpha + f.weeks as rate,
    1 - power((f.alpha + f.weeks) / (f.alpha + f.weeks + f.window_weeks), f.r + f.frequency - 1) as p_purchase_if_alive
from purchase_forecasts f
join gold.purchase_model m on m.version = f.purchase_version;

-- Between the models and everybody who reads a figure: it is a number from 0 to the most that can be, or NULL.
-- Never least() or greatest() alone: for them NaN is the largest number, and least() drops it.
create or replace temp macro figure_within(figure, most) as case when isfinite(figure) and figure between 0 and most then figure end;
create or replace temp macro figure_at_most(figure, most) as case when isfinite(figure) then least(figure, most) end;

-- Refunds over sales, of a customer with so few sales that of all: it weighs three purchase days.
create or replace temp macro refund_share_of(purchase_sales, net_sales, expected_spend, mean) as
    (purchase_sales::double - net_sales::double + 3 * expected_spend * mean)
    / (purchase_sales::double + 3 * expected_spend);

create or replace temp view scored as
with chances as (
    select
        t.*, o.purchases, o.discounted_purchases, o.window_purchases, o.p_purchase_if_alive, o.refund_share_mean,
        o.clv_margin, o.horizon_days, o.window_days,
        o.model_as_of > t.as_of as in_hindsight,
        -- exp() of too much is infinity, and the probability 0.
        case when o.a = 0 then 1
            else 1 / (1 + exp(o.log_dropout_odds + o.shape * ln(o.rate / (o.alpha + t.weeks_to_last))))
        end as p_alive,
        case o.spend_model
            when 'log-normal' then o.log_spend_scale * figure_at_most(exp(
                log_spend_of(t.frequency, t.log_spend_sum, o.log_spend_mean, o.within, o.between_customers)
                + o.within / 2 + 1 / (t.frequency / o.within + 1 / o.between_customers) / 2
            ), greatest(o.largest_mean_spend, t.purchase_sales::double / t.frequency))
            else (t.purchase_sales::double + o.spend_prior_days * o.spend_mean) / (t.frequency + o.spend_prior_days)
        end as mean_spend,
        -- Nobody is expected to spend more than their segment ever did on one day, or the best of all on average,
        -- unless they do so themselves.
        greatest(
            least(coalesce(t.segment_largest_spend, o.largest_mean_spend), o.largest_mean_spend),
            t.purchase_sales::double / t.frequency
        ) as most_spend
    from assigned t
    left join forecasts o
        on o.purchase_version = t.purchase_version and o.forecast_from is not distinct from t.forecast_from
        and o.frequency = t.frequency and o.weeks = t.weeks
        and o.spend_level = t.spend_level and o.coupon_level = t.coupon_level
),
spent as (
    select
        *, figure_at_most(mean_spend, most_spend) as expected_spend,
        -- Who returned what was bought before the first order has more refunds than sales.
        expected_spend * (
            1 - figure_at_most(refund_share_of(purchase_sales, net_sales, expected_spend, refund_share_mean), 1)
        ) as kept_spend
    from chances
)
select
    * exclude (
        p_alive, p_purchase_if_alive, purchases, discounted_purchases, window_purchases, mean_spend, most_spend,
        kept_spend, refund_share_mean, segment_largest_spend, clv_margin, horizon_days, window_days
    ),
    segment_version as version,
    figure_within(spent.p_alive, 1) as p_alive,
    -- Nobody buys on more days than there are.
    figure_within(spent.p_alive * purchases, horizon_days) as expected_purchases,
    figure_within(1 - spent.p_alive * p_purchase_if_alive, 1) as churn_risk,
    -- 1e16 is more than the column can hold.
    round(figure_within(
        clv_margin * spent.p_alive * discounted_purchases * kept_spend, least(horizon_days * most_spend, 1e16 - 2)
    ), 2)::decimal(18, 2) as predicted_clv,
    round(figure_within(
        spent.p_alive * window_purchases * kept_spend, least(window_days * most_spend, 1e16 - 2)
    ), 2)::decimal(18, 2) as expected_window_sales
from spent;
