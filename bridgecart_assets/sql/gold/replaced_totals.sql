-- Customers whose totals a refresh replaces, each as they stood before it; NULL where they had none.
-- needs: known_totals, fresh, $revision
-- gives: gold.replaced_totals

with before as (
    select t, t.customer_id, t.customer_hash
    from known_totals t
),
customers as (
    select customer_id, customer_hash from before
    union
    select customer_id, customer_hash from fresh
)
select $revision as revision, c.customer_id, c.customer_hash, case when b.customer_id is not null then b.t end as totals
from customers c
left join before b on b.customer_hash = c.customer_hash and b.customer_id = c.customer_id
