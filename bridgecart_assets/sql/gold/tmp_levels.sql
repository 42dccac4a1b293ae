-- Every row of `traits` with the levels of spend and coupons by which the purchase model tells kinds of customers apart:
-- deviations from the mean in quarters, 0 where it tells none apart. They are the levels of `purchase_covariates.py`.
-- Weeks are those of the season from here on, where the purchase model has one.
-- needs: traits, versions_in_force, is_in_force(), gold.purchase_model, ahead_of_calendar, weeks_between(),
--     log_spend_of(), coupon_share_of(), $churn_window_days, $clv_margin, $clv_horizon_days
-- gives: purchases_in_force, level_of(), levelled

create or replace temp table purchases_in_force as
select
    v.as_of as decided_on, m.*, m.season is not null as is_seasonal,
    $clv_margin as clv_margin, $clv_horizon_days::double as horizon_days, $churn_window_days::double as window_days
from versions_in_force v
left join gold.purchase_model m on m.version = v.purchase_version;

-- Never least() or greatest() of what may be NULL: they leave it out.
create or replace temp macro level_of(figure, mean, scale) as case
    when scale >= 1e-6 then round(4 * greatest(-3, least(3, (figure - mean) / scale))) / 4 else 0
end;

create or replace temp view levelled as
select
    t.* exclude (weeks),
    weeks_between(t.first_purchased_on + coalesce(f.days, 0), t.as_of - 1 + coalesce(d.days, 0)) as weeks,
    weeks_between(t.first_purchased_on + coalesce(f.days, 0), t.last_purchased_on + coalesce(l.days, 0)) as weeks_to_last,
    -- The same number of days has more or fewer of the season in it.
    case when m.is_seasonal then t.as_of end as forecast_from,
    level_of(
        log_spend_of(
            t.frequency, t.log_spend_sum, m.log_spend_mean, m.log_spend_variance_within, m.log_spend_variance_between
        ),
        m.spend_level_mean, m.spend_level_scale
    ) as spend_level,
    level_of(coupon_share_of(t.orders, t.coupon_orders, m.coupon_share_mean), m.coupon_level_mean, m.coupon_level_scale)
        as coupon_level
from traits t
left join purchases_in_force m on is_in_force(m.decided_on, t.as_of)
left join ahead_of_calendar f on f.version = t.purchase_version
    and f.month = month(t.first_purchased_on) and f.day = day(t.first_purchased_on)
left join ahead_of_calendar l on l.version = t.purchase_version
    and l.month = month(t.last_purchased_on) and l.day = day(t.last_purchased_on)
left join ahead_of_calendar d on d.version = t.purchase_version
    and d.month = month(t.as_of - 1) and d.day = day(t.as_of - 1);
