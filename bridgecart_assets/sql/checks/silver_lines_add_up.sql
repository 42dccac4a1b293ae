-- Orders with a line in the batch that are not the sum of their lines.
-- needs: silver.orders, silver.order_lines, $batch_key
-- gives: rows

with sums as (
    select order_key, count(*) as lines, sum(net_amount) as net_amount, sum(gross_amount) as gross_amount
    from silver.order_lines
    where order_key in (select order_key from silver.order_lines where batch_key = $batch_key)
    group by order_key
)
select s.order_key, s.lines, s.net_amount as net_amount_of_lines, o.net_amount
from sums s
left join silver.orders o using (order_key)
where (o.lines, o.net_amount, o.gross_amount) is distinct from (s.lines, s.net_amount, s.gross_amount)
order by s.order_key
