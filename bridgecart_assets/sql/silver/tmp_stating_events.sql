-- Of each customer the latest event, and the latest that states each attribute: by purchase time, then by arrival.
-- needs: scoped_orders
-- gives: stating_events

create or replace temp table stating_events as
with arrived as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by purchased_at, kafka_timestamp nulls first, "partition", "offset", topic_id, part
        ) as place
    from scoped_orders
),
placed as (
    select
        customer_id, customer_hash, topic_id, "partition", "offset", batch_key, place,
        -- Of what silver took in before it noted what is stated, the latest event speaks for all attributes.
        max(place) filter (where stated_attributes is null or list_contains(stated_attributes, '{attribute_field}')) over of_customer as place_of_{attribute_field},
        max(place) over of_customer as last_place,
        min(purchased_at) over of_customer as first_seen_at,
        max(purchased_at) over of_customer as last_seen_at
    from arrived
    window of_customer as (partition by customer_id)
)
select * from placed
where place = last_place or list_contains([
    place_of_{attribute_field},
], place);
