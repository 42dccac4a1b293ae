-- Customers of whom an order came or went after one revision and up to another, or whose totals are others, and the day
-- of the earliest of these orders. What came and went again counts: its record may say something else of the customer.
-- needs: silver.order_changes, gold.replaced_totals, $after, $revision
-- gives: touched

create or replace temp table touched as
select customer_hash, min(purchased_on) as since
from (
    select revision, customer_hash, purchased_on from silver.order_changes
    union all
    select revision, customer_hash, null from gold.replaced_totals
)
where revision > $after and revision <= $revision
group by customer_hash;
