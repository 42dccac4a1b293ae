-- Which event of an order counts, and where its others stand. Events that say the same, but for the fraction of their
-- second, are one event. What events are that say different things, $order_events says: of `orders` the first counts,
-- of `states` the last, and `lines` count together. Two lines may differ by fields outside the contract alone, as by
-- the article: those tell them apart, while another order sent again may well have another number of its sending.
-- First is by Kafka timestamp, then partition and offset, over all batches; of two topics, one of which was created
-- again, that of the one that was read first. A record without a Kafka timestamp is neither first nor last.
-- Where the source says versions, these decide (silver/tmp_ranked_states).
-- Every order of `affected_keys` is ranked again; that makes the outcome independent of the order in which batches are
-- materialized.
-- needs: standing_rows, claims, ranked_states, silver.orders, silver.duplicate_orders, silver.conflicting_orders,
--     silver.superseded_orders, silver.order_lines, raw.orders, json_of(), $order_events
-- gives: ranked_events, replaced_orders
-- changes: silver.orders, silver.duplicate_orders, silver.conflicting_orders, silver.superseded_orders,
--     silver.order_lines

create temp table ranked_events as
with beside as (
    select
        r.batch_key, r.topic_id, r."partition", r."offset",
        coalesce(json_merge_patch(json_of(r.payload), '{event_mask}')::varchar, decode(r.payload)) as said_beside
    from raw.orders r
    semi join claims c on c.batch_key = r.batch_key
        and (c.topic_id, c."partition", c."offset") = (r.topic_id, r."partition", r."offset")
    where $order_events = 'lines'
),
turns as (
    select
        *,
        {'topic_id': topic_id, 'partition': "partition", 'offset': "offset"} as place,
        case when $order_events = 'states' then row_number() over latest_first else row_number() over arrival end as turn
    from claims
    left join beside using (batch_key, topic_id, "partition", "offset")
    where is_void is null
    window
        arrival as (partition by order_key order by kafka_timestamp nulls last, "partition", "offset", batch_key),
        latest_first as (
            partition by order_key
            order by kafka_timestamp desc nulls last, "partition" desc, "offset" desc, batch_key desc
        )
),
said as (
    select
        *,
        row_number() over same_words as copy,
        first_value(place) over same_words as original,
        first_value(place) over (partition by order_key order by turn) as counting
    from turns
    window same_words as (
        partition by
            {told_column},
            order_key, date_trunc('second', purchased_at), net_amount, said_beside
        order by turn
    )
),
judged as (
    select
        *,
        case when copy > 1 then original else counting end as winner,
        case
            when copy > 1 then 'duplicate_orders'
            when $order_events = 'lines' and count(*) filter (where copy = 1) over (partition by order_key) > 1
                then 'order_lines'
            when turn = 1 then 'orders'
            when $order_events = 'states' then 'superseded_orders'
            else 'conflicting_orders'
        end as stands_in
    from said
)
select
    * exclude (said_beside, place, turn, copy, original, counting, winner),
    winner.topic_id as winner_topic_id,
    winner."partition" as winner_partition,
    winner."offset" as winner_offset
from judged
union all by name
select * from ranked_states;

create temp table replaced_orders as
select *
from silver.orders
where rowid in (select place from standing_rows where stands_in = 'orders');

delete from silver.orders
where rowid in (select place from standing_rows where stands_in = 'orders');
delete from silver.duplicate_orders
where rowid in (select place from standing_rows where stands_in = 'duplicate_orders');
delete from silver.conflicting_orders
where rowid in (select place from standing_rows where stands_in = 'conflicting_orders');
delete from silver.superseded_orders
where rowid in (select place from standing_rows where stands_in = 'superseded_orders');
delete from silver.order_lines
where rowid in (select place from standing_rows where stands_in = 'order_lines');
