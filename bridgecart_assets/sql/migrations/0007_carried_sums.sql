-- What customers' orders add up to is carried from batch to batch, and no longer looked for among everybody's.
-- Features are a view, of what is stored of each customer, as of a date that is on record.
alter table if exists gold.refreshes add column if not exists as_of date;
alter table if exists gold.refreshes alter column state drop not null;
drop table if exists gold.customer_features;
-- What changed is kept order by order.
drop table if exists silver.changed_customers;
drop table if exists silver.touched_orders;
