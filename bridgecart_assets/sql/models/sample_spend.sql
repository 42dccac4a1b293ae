-- What customers spent on their purchase days, in sums: before the last days, and in them.
-- needs: purchase_days, clock, $held_out_days
-- gives: rows

with days as (
    select
        customer_id, spend, log_net, log_net_square,
        -- In fixed point, so that sums do not depend on the order of the rows.
        (spend::double * spend::double)::decimal(38, 4) as spend_square,
        purchased_on < as_of - $held_out_days as is_before,
        purchased_on = min(purchased_on) over (partition by customer_id) as is_first
    from purchase_days cross join clock
)
select
    customer_id,
    count(*) filter (where is_before)::double as days_before,
    coalesce(sum(spend) filter (where is_before), 0)::double as spend_before,
    coalesce(sum(spend_square) filter (where is_before), 0)::double as spend_square_before,
    coalesce(sum(log_net) filter (where is_before), 0)::double as log_spend_before,
    coalesce(sum(log_net_square) filter (where is_before), 0)::double as log_spend_square_before,
    coalesce(sum(spend) filter (where is_before and is_first), 0)::double as first_spend_before,
    count(*) filter (where not is_before)::double as days_after,
    coalesce(sum(spend) filter (where not is_before), 0)::double as spend_after,
    coalesce(sum(spend_square) filter (where not is_before), 0)::double as spend_square_after,
    coalesce(sum(log_net) filter (where not is_before), 0)::double as log_spend_after,
    coalesce(sum(log_net_square) filter (where not is_before), 0)::double as log_spend_square_after,
    coalesce(sum(spend) filter (where not is_before and is_first), 0)::double as first_spend_after
from days
group by customer_id
order by customer_id
