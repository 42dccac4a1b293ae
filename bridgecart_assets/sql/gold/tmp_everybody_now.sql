-- Customers as of now.
-- needs: gold.customer_totals, clock
-- gives: to_score, is_in_force()

create or replace temp view to_score as
select clock.as_of, t.*, null::date as next_purchased_on
from gold.customer_totals t, clock;

-- One date has the models of one row, whose figures are constants.
create or replace temp macro is_in_force(decided_on, as_of) as true;
