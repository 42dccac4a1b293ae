-- Another text after every erasure of customers.
-- needs: raw.forgotten_customers
-- gives: rows

select concat_ws(' ', count(*), max(forgotten_before)) as erasures
from raw.forgotten_customers
