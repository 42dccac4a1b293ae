-- Customers in time before the changes and after them, without what no model asks for: of a few customers, lists are read
-- of all.
-- needs: gold.customer_totals, replaced, in_time
-- gives: states

create or replace temp table states as
with after as (
    select t.* exclude (categories)
    from gold.customer_totals t
    semi join in_time using (customer_id, customer_hash)
    -- Just written, they lie side by side: looked for by their hashes alone, they are read without the others.
    where t.rowid in (
        select rowid from gold.customer_totals where customer_hash in (select customer_hash from in_time)
    )
),
before as (
    select totals.*
    from replaced
    semi join in_time using (customer_id, customer_hash)
    where totals is not null
)
select 'before' as side, * exclude (categories), returned_on as had_returned_on from before
union all by name
select 'after' as side, after.*, before.returned_on as had_returned_on
from after
left join before using (customer_id, customer_hash);
