-- The orders with more to say than one event that counts, and all of their events.
-- needs: accepted, affected_keys, known_events, $batch_key
-- gives: standing, contested, claims

-- What other batches have of these orders.
create temp table standing as
select * exclude (stands_in)
from known_events
where batch_key is distinct from $batch_key and order_key in (select order_key from affected_keys);

-- Most orders have one event only, which counts; unless it says that there is none.
create temp table contested as
select order_key from accepted group by order_key having count(*) > 1
union
select order_key from standing
union
select order_key from accepted where is_void;

create temp view claims as
select * from accepted where order_key in (select order_key from contested)
union all by name
select * from standing;
