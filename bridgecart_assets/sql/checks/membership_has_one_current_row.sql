-- Customers with several intervals that last, and intervals of nobody: a customer without orders, an erased one for
-- example, must have no history either. Whose segment is another now than at the last opening has a current row by that.
-- needs: scoped_segment_intervals, scoped_customer_scores, gold.segment_intervals, gold.customer_openings
-- gives: rows

with histories as (
    select customer_id, count(*) filter (where valid_to is null) as lasting
    from scoped_segment_intervals
    group by customer_id
)
select
    case when s.customer_id is null then 'history of nobody' else 'none or several lasting' end as problem,
    count(*) as customers,
    min(h.customer_id) as for_example
from histories h
left join scoped_customer_scores s on s.customer_id = h.customer_id
where s.customer_id is null or h.lasting <> 1
group by problem
union all
-- Of customers that this run left as they were, too.
select 'not as many lasting as customers at the last opening', abs(o.customers - i.customers), null
from (
        select count(*) as customers
        from gold.customer_openings
        where as_of = (select max(as_of) from gold.customer_openings)
    ) o,
    (select count(*) as customers from gold.segment_intervals where valid_to is null) i
where o.customers <> i.customers
order by problem
