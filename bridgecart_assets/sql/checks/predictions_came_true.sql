-- Sales of each segment in the latest churn window that is over, beside those expected at its opening: `customers_off`
-- are the customers where they are further apart than may be, and than chance explains: 2.6 standard errors are one
-- segment in a hundred. Segments with fewer than 30 buyers to expect are left out, because there a single order may be
-- half of the sales. Where there are many customers and only changes are looked at, a share of them stands for all.
-- needs: gold.customer_openings, gold.segment_flows, silver.orders, $churn_window_days, $max_prediction_error,
--     $only_changes
-- gives: rows

with opening as (
    select max(period) as as_of
    from gold.segment_flows
    where period + $churn_window_days < (select max(closes_on) from gold.segment_flows)
),
-- About 200,000 customers at most: as often as that takes, the range of all hashes is halved.
share as (
    select 9223372036854775807 >> case when $only_changes then ceil(log2(greatest(count(*) / 200_000, 1)))::integer else 0 end
        as last_hash
    from gold.customer_openings
    join opening using (as_of)
),
expected as (
    select s.customer_hash, s.as_of, s.segment_key, s.expected_window_sales, s.churn_risk, s.in_hindsight
    from gold.customer_openings s
    join opening using (as_of)
    where s.customer_hash <= (select last_hash from share) and s.expected_window_sales is not null
),
happened as (
    -- By hash, which takes half the time: figures that may be some per cent apart need no more.
    select o.customer_hash, sum(o.net_amount) as sales
    from silver.orders o, opening
    where o.purchased_on >= opening.as_of and o.purchased_on < opening.as_of + $churn_window_days
        and o.customer_hash <= (select last_hash from share)
    group by o.customer_hash
),
compared as (
    select
        e.as_of as opening,
        coalesce(e.segment_key, 'all') as segment_key,
        count(*) as customers,
        sum(1 - e.churn_risk) as expected_buyers,
        sum(e.expected_window_sales) as expected_sales,
        coalesce(sum(h.sales), 0) as actual_sales,
        -- By what customers differ in; but one of whom far too much is expected is no chance, so not beyond their sales.
        sqrt(
            least(
                sum((coalesce(h.sales, 0) - e.expected_window_sales)::double ^ 2), sum(coalesce(h.sales, 0)::double ^ 2)
            )
        ) as standard_error,
        bool_or(e.in_hindsight) as in_hindsight
    from expected e
    left join happened h using (customer_hash)
    group by grouping sets ((e.as_of, e.segment_key), (e.as_of))
),
told as (
    select
        *,
        abs(expected_sales - actual_sales)
            > greatest($max_prediction_error * greatest(actual_sales, 0), 2.6 * standard_error) as is_off
    from compared
    where expected_buyers >= 30
)
select
    opening, segment_key, customers, expected_sales, actual_sales,
    case when actual_sales > 0 then round(expected_sales::double / actual_sales::double - 1, 4) end as error,
    round(standard_error, 2) as standard_error, in_hindsight,
    case when is_off then customers else 0 end as customers_off,
    case
        when is_off
        then format(
            '{}: {} of sales expected in {} days from {} on, {} came.',
            segment_key, expected_sales::decimal(38, 2)::varchar, $churn_window_days::integer, opening, actual_sales::varchar
        )
        else ''
    end as says
from told
order by segment_key
