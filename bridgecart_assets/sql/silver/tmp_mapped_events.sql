-- What a mapping has read (sources/mapping), by the rules of the event contract (contracts/event.py): those of
-- BridgeCart's own event, on values that have their types. An event that voids its order needs the order's id alone.
-- needs: mapped, latest_purchase(), utc_of(), order_key_of(), customer_hash_of(), day_of(), net_of(), $amount_is_net,
--     $calendar_timezone, $currency, $batch_key
-- gives: skipped, mapped_events

create temp view skipped as
select batch_key, "partition", skipped as reason, count(*) as records
from mapped
where skipped is not null
group by all;

create temp table mapped_events as
with told as (
    select
        * exclude (skipped) replace (
            -- One that was asked for and pays nothing back is none.
            case when refunds is not null
                then [refund for refund in refunds if refund.amount is distinct from 0] end as refunds
        ),
        is_void is not null as has_states,
        coalesce(is_void, false) as voids
    from mapped
    where skipped is null
),
judged as (
    select
        *,
        {mapped_reason} as reason_{mapped_field},
        case
            when list_contains(bad_fields, 'refunds') then 'bad_refunds'
            when list_bool_or([refund."at" is null or refund.amount is null for refund in refunds]) then 'bad_refunds'
            when list_bool_or([{refund_out_of_range} for refund in refunds]) then 'out_of_range_refunds'
            when list_max([refund."at" for refund in refunds]) at time zone 'UTC' > latest_purchase(kafka_timestamp, $batch_key)
                then 'future_refunds'
        end as reason_refunds
    from told
),
events as (
    select
        topic_id, "partition", "offset", kafka_timestamp, batch_key, version, is_void,
        {mapped_value} as {mapped_field},
        case when reason_refunds is null
            then nullif([{'at': refund."at" at time zone 'UTC', 'amount': refund.amount} for refund in refunds], [])
        end as refunds,
        coalesce(unreadable, nullif(concat_ws(',',
            case when not voids then reason_{required_field} end,
            case when not voids and {rejected_if} then {rejection} end,
            case when has_states then coalesce(reason_order_id, case when order_id is null then 'missing_order_id' end) end,
            case when list_contains(bad_fields, 'version') then 'bad_version' end,
            case when list_contains(bad_fields, 'is_void') then 'bad_is_void' end,
            case when not voids and list_contains(bad_fields, 'refunded_amount') then 'bad_refunded_amount' end,
            case when not voids and list_contains(bad_fields, 'refunded_date') then 'bad_refunded_date' end,
            case when not voids then reason_refunds end
        ), '')) as reasons,
        case when coalesce(
            reason_{optional_field},
            null
        ) is not null then list_filter([
            reason_{optional_field},
        ], lambda reason: reason is not null) end as ignored_fields,
        case when
            {attribute_field} is null or reason_{attribute_field} is not null or
            false
        then list_filter([
            case when {attribute_field} is not null and reason_{attribute_field} is null then '{attribute_field}' end,
        ], lambda attribute: attribute is not null) end as stated_attributes
    from judged
)
select
    *,
    case when reasons is null then customer_hash_of(customer_id) end as customer_hash,
    case when reasons is null then day_of(utc_of(purchase_date), $calendar_timezone) end as purchased_on,
    case when reasons is null then net_of(purchase_amount, discount_amount, $amount_is_net) end as net_amount,
    -- Without an order's id it depends on spellings, which are looked up later.
    case when reasons is null and order_id is not null then
        order_key_of(is_void, order_id, customer_id, utc_of(purchase_date), purchase_amount, null, null)
    end as order_key
from events;
