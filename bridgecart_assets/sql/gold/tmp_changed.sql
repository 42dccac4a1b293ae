-- Openings of the customers in time, before the changes and after them, with the first purchase day from then on. Who had
-- bought between an opening and the last one had that one before, too: of them any day does, if it is the same twice.
-- What else these and others were and are is added by Python.
-- needs: gold.customer_openings, states, $opening, $churn_window_days
-- gives: changed

create or replace temp table changed as
with held as (
    select
        * replace (
            -- No flow asks for these, and of a few customers everybody's would be read.
            null::double as {trait},
            null::integer as frequency, null::integer as model_version, null::double as p_alive,
            null::decimal(18, 2) as expected_window_sales
        ),
        max(last_purchased_on) over (partition by customer_id) as last_known_on
    from gold.customer_openings
    -- Of those before, a purchase in the open period tells nothing.
    where as_of > $opening::date - $churn_window_days and as_of <= $opening::date
        and customer_hash in (select customer_hash from states)
)
select
    s.side, h.* exclude (last_known_on),
    case
        when h.last_known_on >= h.as_of then h.last_known_on
        else least(
            case when s.returned_on >= h.as_of then s.returned_on end,
            case when s.had_returned_on >= h.as_of then s.had_returned_on end
        )
    end as next_purchased_on
from held h
join states s using (customer_id, customer_hash);
