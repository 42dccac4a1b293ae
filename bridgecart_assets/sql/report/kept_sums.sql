-- What the orders of some days add up to, however their customers are grouped.
-- needs: silver.batch_sums, $opens, $closes
-- gives: rows

select
    opens, closes,
    coalesce(sum(purchases + zero_value_orders + refunds), 0)::bigint as orders,
    coalesce(sum(net_sales), 0)::varchar as sales,
    coalesce(sum(fingerprint), 0)::varchar as fingerprint
from (select distinct unnest($opens)::date as opens, unnest($closes)::date as closes)
left join silver.batch_sums on purchased_on >= opens and purchased_on < closes
group by opens, closes
order by opens, closes
