-- The as-of date: with a new one everybody's recency is another.
-- needs: silver.orders, $as_of
-- gives: rows

select coalesce($as_of::date, max(purchased_on) + 1) as as_of from silver.orders
