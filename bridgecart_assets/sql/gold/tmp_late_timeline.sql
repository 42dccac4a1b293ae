-- Customers that are late, as of every period opening and as of now.
-- needs: changed, retold
-- gives: late_timeline

create or replace temp table late_timeline as
from changed
semi join retold using (customer_id, customer_hash)
where side = 'after';
