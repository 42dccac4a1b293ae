-- The clustering traits of a customer under the parameters of a purchase model, shrunk as the evidence is thin.
-- Weeks from the first purchase day to the last day of the data (as_of is the midnight that ends it).
-- needs: nothing
-- gives: weeks_between(), log_purchase_rate_of(), log_spend_of(), coupon_share_of()

create or replace temp macro weeks_between(earlier, later) as (later - earlier)::double / 7;
create or replace temp macro log_purchase_rate_of(frequency, weeks, r, alpha) as ln((r + frequency - 1) / (alpha + weeks));
create or replace temp macro log_spend_of(frequency, log_spend_sum, mean, within, between_customers) as
    (log_spend_sum::double / within + mean / between_customers) / (frequency / within + 1 / between_customers);
create or replace temp macro coupon_share_of(orders, coupon_orders, mean) as (3 * mean + coupon_orders) / (3 + orders);
