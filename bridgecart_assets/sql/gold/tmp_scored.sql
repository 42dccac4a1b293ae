-- What the models say about every row of `traits`: predictions, nearest and second nearest centroid.
-- needs: gold.segment_model, versions_in_force, purchases_in_force, is_in_force(), levelled, log_spend_of(),
--     purchase_forecasts
-- gives: segments_in_place, segments_in_force, squared(), assigned, forecasts, figure_within(),
--     figure_at_most(), refund_share_of(), scored

-- The segments of a version by key, each in its place.
create or replace temp table segments_in_place as
select
    *, row_number() over (order by version, segment_key) as number,
    row_number() over (partition by version order by segment_key)::integer as place
from gold.segment_model;

-- The version of a date in one row, with columns for as many segments as there can be. A row a customer and segment, or
-- a list of the segments, costs several times as much. Those that there are not are NULL, and of one date they take no
-- time.
create or replace temp table segments_in_force as
select
    v.as_of as decided_on, min(number) - 1 as before,
    any_value(place) filter (where place = {place}) as place_{place},
    any_value(mean_{trait}) as mean_{trait}, any_value(scale_{trait}) as scale_{trait},
    any_value(centroid_{place_trait}) filter (where place = {trait_place}) as {place_trait}_{trait_place},
from versions_in_force v
left join segments_in_place s on s.version = v.segment_version
group by v.as_of;

-- Not power(): a product is rounded alike on every machine.
create or replace temp macro squared(number) as number * number;

create or replace temp view assigned as
with standardised as (
    select
        t.*, m.* exclude (decided_on),
        (t.{trait} - m.mean_{trait}) / m.scale_{trait} as z_{trait},
    from levelled t
    left join segments_in_force m on is_in_force(m.decided_on, t.as_of)
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
others as (
    -- The nearest out of reach, by a sum: of a place without a segment that is NULL for everybody at once, as no CASE is.
    select
        *,
        distance_{place} + 1e308 * (nearest_place = place_{place})::double as other_{place},
    from placed
),
next_nearest as (
    select *, least(
        other_{place},
        null
    ) as other_distance
    from others
),
next_placed as (
    select
        *,
        case when other_distance < 1e308 then other_distance end as next_distance,
        case
            when other_{place} = next_distance then {place}
        end as next_place
    from next_nearest
)
select
    n.* exclude (
        before,
        mean_{trait}, scale_{trait}, z_{trait},
        {place_trait}_{trait_place},
        place_{place}, distance_{place}, other_{place},
        distance, nearest_place, other_distance, next_distance, next_place
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
    purchase_version, forecast_from, frequency, weeks, spend_level, coupon_level,
    purchases, discounted_purchases, window_purchases, alpha,
    -- There is no logarithm of no drop-out.
    case when a > 0 then ln(a / (b + frequency - 1)) else '-infinity'::double end as log_dropout_odds,
    r + frequency - 1 as shape,
    alpha + weeks as rate,
    1 - power((alpha + weeks) / (alpha + weeks + window_weeks), r + frequency - 1) as p_purchase_if_alive
from purchase_forecasts;

-- Between the models and everybody who reads a figure: it is a number from 0 to the most that can be, or NULL. NaN and
-- infinity are more than that. Never least() or greatest() alone: least() drops NaN.
create or replace temp macro figure_within(figure, most) as case when figure between 0 and most then figure end;
create or replace temp macro figure_at_most(figure, most) as case when isfinite(figure) then least(figure, most) end;

-- Refunds over sales, of a customer with so few sales that of all: it weighs three purchase days.
create or replace temp macro refund_share_of(purchase_sales, net_sales, expected_spend, mean) as
    (purchase_sales - net_sales + 3 * expected_spend * mean) / (purchase_sales + 3 * expected_spend);

-- What is named twice is a column first: within a CASE it would be computed as often as it is named.
create or replace temp view scored as
with foretold as (
    select
        t.*, f.* exclude (purchase_version, forecast_from, frequency, weeks, spend_level, coupon_level),
        m.clv_margin, m.horizon_days, m.window_days,
        m.spend_model, m.log_spend_scale, m.repeat_spend_scale, m.spend_prior_days, m.spend_mean, m.refund_share_mean,
        m.largest_mean_spend,
        f.purchases is not null as is_foretold,
        m.as_of > t.as_of as is_earlier_than_model,
        t.purchase_sales::double as sales,
        sales / t.frequency as spend_so_far,
        exp(
            log_spend_of(
                t.frequency, t.log_spend_sum, m.log_spend_mean, m.log_spend_variance_within,
                m.log_spend_variance_between
            )
            + m.log_spend_variance_within / 2
            + 1 / (t.frequency / m.log_spend_variance_within + 1 / m.log_spend_variance_between) / 2
        ) as log_normal_spend
    from assigned t
    left join purchases_in_force m on is_in_force(m.decided_on, t.as_of)
    left join forecasts f
        on f.purchase_version = t.purchase_version and f.forecast_from is not distinct from t.forecast_from
        and f.frequency = t.frequency and f.weeks = t.weeks
        and f.spend_level = t.spend_level and f.coupon_level = t.coupon_level
),
chances as (
    select
        *,
        -- exp() of too much is infinity, and the probability 0.
        1 / (1 + exp(log_dropout_odds + shape * ln(rate / (alpha + weeks_to_last)))) as p_alive,
        repeat_spend_scale * case spend_model
            when 'log-normal'
            then log_spend_scale * figure_at_most(log_normal_spend, greatest(largest_mean_spend, spend_so_far))
            else (sales + spend_prior_days * spend_mean) / (frequency + spend_prior_days)
        end as mean_spend,
        -- Nobody is expected to spend more than their segment ever did on one day, or the best of all on average,
        -- unless they do so themselves.
        greatest(
            least(coalesce(segment_largest_spend, largest_mean_spend), largest_mean_spend), spend_so_far
        ) as most_spend
    from foretold
),
spent as (
    select *, case when is_foretold then figure_at_most(mean_spend, most_spend) end as expected_spend
    from chances
),
refunded as (
    select *, refund_share_of(sales, net_sales::double, expected_spend, refund_share_mean) as refund_share
    from spent
),
kept as (
    -- Who returned what was bought before the first order has more refunds than sales.
    select *, expected_spend * (1 - figure_at_most(refund_share, 1)) as kept_spend
    from refunded
),
figures as (
    select
        *,
        p_alive * purchases as expected_purchases,
        1 - p_alive * p_purchase_if_alive as churn_risk,
        clv_margin * p_alive * discounted_purchases * kept_spend as predicted_clv,
        p_alive * window_purchases * kept_spend as expected_window_sales
    from kept
)
select
    * exclude (
        purchases, discounted_purchases, window_purchases, alpha, log_dropout_odds, shape, rate, p_purchase_if_alive,
        clv_margin, horizon_days, window_days, spend_model, log_spend_scale, repeat_spend_scale, spend_prior_days,
        spend_mean, refund_share_mean, largest_mean_spend, segment_largest_spend, is_foretold, is_earlier_than_model, sales,
        spend_so_far, log_normal_spend, mean_spend, most_spend, refund_share, kept_spend
    ) replace (
        figure_within(p_alive, 1) as p_alive,
        -- Nobody buys on more days than there are.
        figure_within(expected_purchases, horizon_days) as expected_purchases,
        figure_within(churn_risk, 1) as churn_risk,
        -- 1e16 is more than the column can hold.
        figure_within(predicted_clv, least(horizon_days * most_spend, 1e16 - 2))::decimal(18, 2) as predicted_clv,
        figure_within(expected_window_sales, least(window_days * most_spend, 1e16 - 2))::decimal(18, 2)
            as expected_window_sales
    ),
    segment_version as version,
    case when is_foretold then is_earlier_than_model end as in_hindsight
from figures;
