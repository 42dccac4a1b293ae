-- How long a customer has been silent, in steps that get longer: thirds of the churn window within it, then until two and
-- until four windows, then more. Who is silent for long comes back less.
-- needs: nothing
-- gives: silence_of()

create or replace temp macro silence_of(recency_days, window_days) as
    case
        when 3 * recency_days <= window_days then 0
        when 3 * recency_days <= 2 * window_days then 1
        when recency_days <= window_days then 2
        when recency_days <= 2 * window_days then 3
        when recency_days <= 4 * window_days then 4
        else 5
    end
