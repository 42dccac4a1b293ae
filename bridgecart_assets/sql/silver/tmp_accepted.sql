-- The records of one batch as events: every record ends in `accepted` or in `refused`.
-- needs: validated, fields, mapped_events, spellings, lookup_key_of(), order_key_of(), customer_hash_of(), day_of(),
--     net_of(), utc_of(), raw.orders, raw.withdrawn_orders, $amount_is_net, $calendar_timezone, $batch_key
-- gives: told_events, cleaned, refused_unread, refused, canonicalized, keyed, ready, accepted_keys, accepted

create temp view told_events as
select
    {order_value} as {order_column},
    null::varchar[] as ignored_fields,
    stated_attributes,
    null::decimal(38, 0) as version,
    null::boolean as is_void,
    null::struct("at" timestamp, amount decimal(18, 2))[] as refunds,
    topic_id, "partition", "offset", kafka_timestamp, batch_key,
    order_key, customer_hash, purchased_on, net_amount
from fields
where is_plain
union all by name
select
    {order_value} as {order_column},
    ignored_fields,
    stated_attributes,
    version, is_void, refunds,
    topic_id, "partition", "offset", kafka_timestamp, batch_key,
    order_key, customer_hash, purchased_on, net_amount
from mapped_events
where reasons is null;

create temp view cleaned as
from told_events
union all by name
select
    {order_value} as {order_column},
    ignored_fields,
    stated_attributes,
    topic_id, "partition", "offset", kafka_timestamp, batch_key
from validated
where reasons is null;

-- Refused records of which `fields` has no payload. Few, and known to be few before raw is joined: else all payloads of the
-- batch would become a hash table.
create temp table refused_unread as
select topic_id, "partition", "offset", kafka_timestamp, string_split(reasons, ',') as reasons, batch_key
from mapped_events
where reasons is not null
union all
select topic_id, "partition", "offset", kafka_timestamp, ['withdrawn'], batch_key
from cleaned c
-- A state of an order is of that order, whoever has it and whether it says so.
semi join raw.withdrawn_orders w
    on w.order_id = c.order_id and (w.customer_id = c.customer_id or c.is_void is not null);

create temp table refused as
select v.topic_id, v."partition", v."offset", v.kafka_timestamp, string_split(v.reasons, ',') as reasons, v.batch_key, f.payload
from validated v
join fields f using (topic_id, "partition", "offset")
where v.reasons is not null
union all
select u.*, r.payload
from refused_unread u
join raw.orders r using (topic_id, "partition", "offset")
where r.batch_key = $batch_key;

create temp table canonicalized as
with written as (
    select null::varchar as field, null::varchar as value where false
    union all select distinct '{spelled_field}', {spelled_column} from cleaned
)
select w.field, w.value, s.canonical
from written w
join spellings s on s.field = w.field and s.lookup_key = lookup_key_of(w.value);

-- Those whose key is not known yet. All others are not copied: that takes longer than to look up their spellings again.
create temp table keyed as
with spelled as (
    from cleaned
    anti join raw.withdrawn_orders w
        on w.order_id = cleaned.order_id and (w.customer_id = cleaned.customer_id or cleaned.is_void is not null)
    left join canonicalized {spelled_field}_spelling on {spelled_field}_spelling.field = '{spelled_field}' and {spelled_field}_spelling.value = cleaned.{spelled_column}
    select
        cleaned.* replace (
            coalesce({spelled_field}_spelling.canonical, cleaned.{spelled_column}) as {spelled_column},
        )
    where order_key is null
)
select * replace (
    order_key_of(
        is_void, order_id, customer_id, purchased_at, purchase_amount, payment_method, product_category
    ) as order_key,
    customer_hash_of(customer_id) as customer_hash,
    day_of(purchased_at, $calendar_timezone) as purchased_on,
    net_of(purchase_amount, discount_amount, $amount_is_net) as net_amount
)
from spelled;

create temp view ready as
from told_events
anti join raw.withdrawn_orders w
    on w.order_id = told_events.order_id and (w.customer_id = told_events.customer_id or told_events.is_void is not null)
where order_key is not null;

create temp view accepted_keys as
select order_key from ready
union all
select order_key from keyed;

create temp view accepted as
with spelled as (
    from ready
    left join canonicalized {spelled_field}_spelling on {spelled_field}_spelling.field = '{spelled_field}' and {spelled_field}_spelling.value = ready.{spelled_column}
    select
        ready.* replace (
            coalesce({spelled_field}_spelling.canonical, ready.{spelled_column}) as {spelled_column},
        )
),
events as (
    from spelled
    union all by name
    from keyed
)
select
    order_key, customer_hash, purchased_on,
    case when purchase_amount < 0 then 'refund' when net_amount > 0 then 'purchase' when net_amount <= 0 then 'zero' end
        as order_kind,
    (net_amount + discount_amount)::decimal(18, 2) as gross_amount,
    0 as part,
    * exclude (
        order_key, customer_hash, purchased_on,
        {unstored_field},
    )
from events;
