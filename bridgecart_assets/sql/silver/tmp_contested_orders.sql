-- The orders with more to say than one event that counts, and all of their events.
-- needs: accepted, affected_keys, known_events, standing_rows, $batch_key
-- gives: standing, contested, claims

-- What other batches have of these orders. A place may be that of another row in another table.
create temp table standing as
select * exclude (stands_in, place)
from known_events
where place in (select place from standing_rows) and order_key in (select order_key from affected_keys)
    and batch_key is distinct from $batch_key;

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
