-- Customers whose id is that of another one but for capital letters or leading zeros: one customer, torn apart.
-- needs: scoped_customers, silver.customers, customer_hash_of()
-- gives: rows

with spelled as (
    select
        customer_id,
        unnest([
            {'other': lower(customer_id), 'differ_by': 'capital letters'},
            {'other': upper(customer_id), 'differ_by': 'capital letters'},
            {'other': ltrim(customer_id, '0'), 'differ_by': 'leading zeros'}
        ], recursive := true)
    from scoped_customers
),
torn as (
    select distinct s.customer_id, s.differ_by
    from spelled s
    join silver.customers c on c.customer_hash = customer_hash_of(s.other) and c.customer_id = s.other
    where s.other <> s.customer_id and s.other <> ''
)
select
    differ_by, count(*) as customers,
    format('{} customer id(s) differ from another one by {} alone.', count(*), differ_by) as says
from torn
group by differ_by
order by differ_by
