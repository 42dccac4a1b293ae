-- The customers to score, as they are now.
-- needs: scoped_customer_features
-- gives: to_score

create or replace temp view to_score as
select * from scoped_customer_features;
