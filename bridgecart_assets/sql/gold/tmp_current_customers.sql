-- The customers to score, as they are now.
-- needs: scoped_customer_features
-- gives: to_score, is_in_force()

create or replace temp view to_score as
select * from scoped_customer_features;

-- One date has the models of one row, whose figures are constants.
create or replace temp macro is_in_force(decided_on, as_of) as true;
