-- Every batch with orders, or that had some when it was counted.
-- needs: silver.orders, silver.batch_sums
-- gives: recounted_batches

create or replace temp table recounted_batches as
select batch_key from silver.orders
union
select batch_key from silver.batch_sums;
