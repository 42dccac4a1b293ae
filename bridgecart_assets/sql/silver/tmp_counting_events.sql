-- The events that count as they stand, and the refunds inside them: each a row of its own, dated when it was given back.
-- needs: accepted, contested, ranked_events, refund_key_of(), day_of(), $calendar_timezone
-- gives: uncontested_events, winning_events, refunds_inside

create temp view uncontested_events as
select * from accepted where order_key not in (select order_key from contested);

create temp view winning_events as
select * exclude (stands_in, winner_topic_id, winner_partition, winner_offset)
from ranked_events
where stands_in = 'orders';

create temp table refunds_inside as
with counting_events as (
    from uncontested_events where refunds is not null
    union all by name
    from winning_events where refunds is not null
),
given_back as (
    select *, unnest(refunds) as given, generate_subscripts(refunds, 1)::integer as number
    from counting_events
)
select * exclude (given, number) replace (
    refund_key_of(order_key, number) as order_key,
    given."at" as purchased_at,
    day_of(given."at", $calendar_timezone) as purchased_on,
    'refund' as order_kind,
    -given.amount as gross_amount,
    0.00 as discount_amount,
    -given.amount as net_amount,
    -- Its event is that of the order, which says these already.
    null as ignored_fields,
    [] as stated_attributes,
    null as refunds,
    number as part
)
from given_back;
