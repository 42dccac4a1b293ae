create or replace temp view to_score as
select * from scoped_customer_features;
