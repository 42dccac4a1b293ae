-- Which state of an order holds where its source says versions: the highest, whatever came last. Of one version the last
-- one said stands, and the others repeat it; what says no version repeats nothing, and is before all that do. A void
-- state that holds leaves no order.
-- needs: claims
-- gives: ranked_states

create temp view ranked_states as
with turns as (
    select
        *,
        {'topic_id': topic_id, 'partition': "partition", 'offset': "offset"} as place,
        row_number() over latest_first as turn
    from claims
    where is_void is not null
    window latest_first as (
        partition by order_key
        order by
            version desc nulls last, kafka_timestamp desc nulls last, "partition" desc, "offset" desc, topic_id desc
    )
),
said as (
    select
        *,
        version is not null and row_number() over same_version > 1 as is_copy,
        first_value(place) over same_version as original,
        first_value(place) over (partition by order_key order by turn) as holding
    from turns
    window same_version as (partition by order_key, version order by turn)
),
judged as (
    select
        *,
        case when is_copy then original else holding end as winner,
        case
            when is_copy then 'duplicate_orders'
            when turn = 1 and not is_void then 'orders'
            else 'superseded_orders'
        end as stands_in
    from said
)
select
    * exclude (place, turn, is_copy, original, holding, winner),
    winner.topic_id as winner_topic_id,
    winner."partition" as winner_partition,
    winner."offset" as winner_offset
from judged;
