-- Of each customer the latest event, and the latest that states each attribute: by purchase time, then by arrival.
-- needs: scoped_orders
-- gives: stating_events

create or replace temp table stating_events as
with seen as (
    select
        customer_id, customer_hash, min(purchased_at) as first_seen_at, max(purchased_at) as last_seen_at,
        -- Of what silver took in before it noted what is stated, the latest event speaks for all attributes.
        max(purchased_at) filter (where stated_attributes is null or list_contains(stated_attributes, '{attribute_field}')) as {attribute_field}_stated_at,
    from scoped_orders
    group by customer_id, customer_hash
),
-- Arrival decides between events of one instant alone: of most customers that is one event, and not all of them.
arrived as (
    select
        o.*, first_seen_at, last_seen_at,
        row_number() over (
            partition by customer_id
            order by purchased_at, kafka_timestamp nulls first, "partition", "offset", topic_id, part
        ) as place
    from scoped_orders o
    join seen using (customer_id, customer_hash)
    where purchased_at in (
        {attribute_field}_stated_at,
        last_seen_at
    )
),
placed as (
    select
        customer_id, customer_hash, topic_id, "partition", "offset", batch_key, first_seen_at, last_seen_at, place,
        max(place) filter (where stated_attributes is null or list_contains(stated_attributes, '{attribute_field}')) over of_customer as place_of_{attribute_field},
        max(place) over of_customer as last_place
    from arrived
    window of_customer as (partition by customer_id)
)
select * from placed
where place = last_place or list_contains([
    place_of_{attribute_field},
], place);
