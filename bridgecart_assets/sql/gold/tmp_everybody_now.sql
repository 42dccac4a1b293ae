-- Customers as of now.
-- needs: gold.customer_totals, clock
-- gives: to_score

create or replace temp view to_score as
select clock.as_of, t.*, null::date as next_purchased_on
from gold.customer_totals t, clock;
