-- The as-of date: with a new one everybody's recency is another.
select coalesce($as_of::date, max(purchased_at)::date + 1) as as_of from silver.orders
