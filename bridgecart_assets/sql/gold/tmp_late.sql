-- Customers who are late: something of theirs went, or what came is before their latest order. They are made anew from all
-- of their orders.
-- needs: net_changes, gold.customer_totals
-- gives: known_totals, late

create or replace temp table known_totals as
select * from gold.customer_totals where customer_hash in (select customer_hash from net_changes);

-- Rows are found by the hash alone, so customers who share one are made together.
create or replace temp table late as
with changed as (
    select customer_id, customer_hash, min(purchased_on) as first_on, min(orders) < 0 as loses
    from net_changes
    group by customer_id, customer_hash
)
select customer_hash
from changed
full join known_totals using (customer_hash, customer_id)
group by customer_hash
having count(*) > 1 or bool_or(loses) or bool_or(first_on < last_ordered_on);
