-- What counts of the spend of a purchase day: its logarithm and the square of it, in fixed point. Sums are then exact,
-- whatever is added to them or taken off.
-- needs: nothing
-- gives: log_of_day(), log_square_of_day()

create or replace temp macro log_of_day(spend) as ln(spend::double)::decimal(18, 9);
create or replace temp macro log_square_of_day(spend) as (ln(spend::double) * ln(spend::double))::decimal(18, 9);
