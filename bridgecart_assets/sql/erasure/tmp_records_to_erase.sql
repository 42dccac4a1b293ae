-- The records of `customers_to_erase`: those that name them, unless they were sent after the customer was forgotten, and
-- those of nobody that have the id anywhere. Of an order with several states, one that names nobody goes with the others,
-- unless another customer has the order now; and one that names another goes if it has the id anywhere, as a row of the
-- order before it changed hands.
-- needs: senders, customers_to_erase, mentions(), raw.orders
-- gives: concerned, naming, records_to_erase, erased_records

create temp table concerned as
select * from senders
where customer_id is null or order_id is not null or known_by in (select customer_id from customers_to_erase);

create temp table naming as
select l.customer_id, l.pattern, s.topic_id, s."partition", s."offset", s.batch_key, s.order_id
from concerned s
join customers_to_erase l on l.customer_id = s.known_by
where coalesce(s.sent_at < l.forgotten_before, true);

create temp table records_to_erase as
with named_orders as (
    select
        order_id,
        bool_and((topic_id, "partition", "offset") in (select (topic_id, "partition", "offset") from naming)) as is_theirs
    from concerned
    where order_id is not null and customer_id is not null
    group by order_id
),
nobodys as (
    select l.customer_id, s.topic_id, s."partition", s."offset", s.batch_key
    from concerned s
    join raw.orders r using (batch_key, topic_id, "partition", "offset")
    join customers_to_erase l on mentions(r, l.pattern)
    where s.customer_id is null and coalesce(s.order_id not in (select order_id from named_orders), true)
),
of_their_orders as (
    select n.customer_id, s.topic_id, s."partition", s."offset", s.batch_key
    from (select distinct customer_id, pattern, order_id from naming) n
    join named_orders o using (order_id)
    join concerned s using (order_id)
    join raw.orders r using (batch_key, topic_id, "partition", "offset")
    where s.customer_id is distinct from n.customer_id
        and (mentions(r, n.pattern) or (s.customer_id is null and o.is_theirs))
)
select customer_id, topic_id, "partition", "offset", batch_key from naming
union
from nobodys
union
from of_their_orders;

create temp table erased_records as
select distinct topic_id, "partition", "offset", batch_key from records_to_erase;
