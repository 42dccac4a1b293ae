-- Customers as they were at a revision: who is another since, before the first change; everybody else as they are.
-- needs: gold.customer_totals, gold.replaced_totals, retold, $after
-- gives: replaced, everybody_before

create or replace temp table replaced as
select customer_id, customer_hash, totals
from gold.replaced_totals
where revision > $after
qualify row_number() over (partition by customer_id, customer_hash order by revision) = 1;

-- Without those whose past is another.
create or replace temp view everybody_before as
select totals.*
from replaced
anti join retold using (customer_id, customer_hash)
where totals is not null
union all by name
select t.*
from gold.customer_totals t
anti join replaced using (customer_id, customer_hash)
anti join retold using (customer_id, customer_hash);
