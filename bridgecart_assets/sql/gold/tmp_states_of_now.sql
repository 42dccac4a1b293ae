-- Customers in time as of now, before the changes and after them.
-- needs: states, clock
-- gives: states_of_now, to_score, is_in_force()

create or replace temp table states_of_now as
select clock.as_of, s.*, null::date as next_purchased_on
from states s, clock;

create or replace temp view to_score as
from states_of_now;

-- One date has the models of one row, whose figures are constants.
create or replace temp macro is_in_force(decided_on, as_of) as true;
