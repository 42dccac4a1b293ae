-- The sample of a fit is by hash of the customer, so it is the same one however rows are stored: those with the lowest.
-- Most are left out by a bound, because to sort ten million takes seconds; five standard deviations wide, so that what
-- is left is enough.
-- needs: nothing
-- gives: is_sampled()

create or replace temp macro is_sampled(customer_hash, customers, wanted) as customers <= wanted or customer_hash <= least(
    9223372036854775807, 9223372036854775807::hugeint * (wanted + ceil(5 * sqrt(wanted))::bigint) // customers
)::bigint;
