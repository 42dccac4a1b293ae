create temp view to_score as
select * from gold.customer_features;
