-- Customers as of the openings of new periods: as they were, for whoever is in time has not ordered between the period
-- that was open and the last of them.
-- needs: everybody_before, periods, $opening
-- gives: new_periods, to_score, is_in_force()

create or replace temp table new_periods as
select period from periods
where period > $opening::date;

create or replace temp view to_score as
select p.period as as_of, b.*, null::date as next_purchased_on, null::varchar as side
from everybody_before b, new_periods p;

create or replace temp macro is_in_force(decided_on, as_of) as decided_on = as_of;
