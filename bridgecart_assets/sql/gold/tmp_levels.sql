-- Every row of `traits` with the levels of spend and coupons by which the purchase model tells kinds of customers apart:
-- deviations from the mean in quarters, 0 where it tells none apart. They are the levels of `purchase_covariates.py`.
-- needs: traits, gold.purchase_model, log_spend_of(), coupon_share_of()
-- gives: level_of(), levelled

-- Never least() or greatest() of what may be NULL: they leave it out.
create or replace temp macro level_of(figure, mean, scale) as case
    when scale >= 1e-6 then round(4 * greatest(-3, least(3, (figure - mean) / scale))) / 4 else 0
end;

create or replace temp view levelled as
select
    t.*,
    level_of(
        log_spend_of(
            t.frequency, t.log_spend_sum, m.log_spend_mean, m.log_spend_variance_within, m.log_spend_variance_between
        ),
        m.spend_level_mean, m.spend_level_scale
    ) as spend_level,
    level_of(coupon_share_of(t.orders, t.coupon_orders, m.coupon_share_mean), m.coupon_level_mean, m.coupon_level_scale)
        as coupon_level
from traits t
left join gold.purchase_model m on m.version = t.purchase_version;
