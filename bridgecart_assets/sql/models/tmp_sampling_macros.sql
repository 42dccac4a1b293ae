-- The sample of a fit is by hash of the customer, so it is the same one however rows are stored: those with the lowest.
-- Most are left out by a bound, five standard deviations wide, so that what is left is enough. It is a constant where rows
-- are read: what is stored by hash is then read for the sampled customers alone.
-- needs: gold.customer_features, $fitted_customers
-- gives: is_sampled()

set variable highest_sampled = (
    select case
        when count(*) <= $fitted_customers then 9223372036854775807
        else least(
            9223372036854775807,
            9223372036854775807::hugeint * ($fitted_customers + ceil(5 * sqrt($fitted_customers))::bigint) // count(*)
        )::bigint
    end
    from gold.customer_features
    where frequency > 0
);

create or replace temp macro is_sampled(customer_hash) as customer_hash <= getvariable('highest_sampled');
