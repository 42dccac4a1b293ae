-- Customers without a current membership, or with several, and memberships of nobody. A customer without orders, an
-- erased one for example, must have no history either.
-- needs: scoped_segment_membership, scoped_customer_segments, gold.customer_segments, gold.segment_membership
-- gives: rows

with histories as (
    select customer_id, count(*) filter (where is_current) as current_rows
    from scoped_segment_membership
    group by customer_id
)
select
    case when s.customer_id is null then 'history of nobody' else 'none or several current rows' end as problem,
    count(*) as customers,
    min(coalesce(s.customer_id, h.customer_id)) as for_example
from scoped_customer_segments s
full join histories h on h.customer_id = s.customer_id
where s.customer_id is null or h.current_rows is distinct from 1
group by problem
union all
-- Of customers that this run left as they were, too.
select 'not as many current rows as customers', abs(s.customers - m.customers), null
from (select count(*) as customers from gold.customer_segments) s,
    (select count(*) as customers from gold.segment_membership where is_current) m
where s.customers <> m.customers
order by problem
