-- The event contract (contracts/event.py) as rules: what a record must be to count as an order, the reasons where it is
-- not, and which of its optional fields are ignored. Records that are plainly right by it do not take this way
-- (silver/tmp_fields).
-- needs: given_of(), documents, instant_of(), is_text(), is_number(), money_of(), number_of(), flag_of(),
--     latest_purchase(), utc_of(), $amount_is_net, $currency, $batch_key
-- gives: normalized, typed, validated

create temp table normalized as
select
    topic_id, "partition", "offset", kafka_timestamp, batch_key, unreadable, event,
    given_of(event.{field}, coalesce(written.{field}, event.{field})) as given_{field},
from documents;

create temp table typed as
select
    *,
    {typed} as {field},
from normalized;

create temp table validated as
with judged as (
    select
        *,
        {reason} as reason_{field},
    from typed
)
select
    * replace (
        case when reason_{optional_field} is null then {optional_field} else {if_missing} end as {optional_field},
    ),
    coalesce(unreadable, nullif(concat_ws(',',
        reason_{required_field},
        case when {rejected_if} then {rejection} end,
    ), '')) as reasons,
    nullif(list_filter([
        reason_{optional_field},
    ], lambda reason: reason is not null), []) as ignored_fields,
    case when
        {attribute_field} is null or reason_{attribute_field} is not null or
        false
    then list_filter([
        case when {attribute_field} is not null and reason_{attribute_field} is null then '{attribute_field}' end,
    ], lambda attribute: attribute is not null) end as stated_attributes
from judged;
