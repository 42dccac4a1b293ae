-- The event contract (contracts/event.py) as rules: what a record must be to count as an order, and the reasons where
-- it is not. Records that are plainly right by it do not take this way (silver/tmp_fields).
-- needs: text_of(), fields, instant_of(), is_number(), money_of(), number_of(), flag_of(), latest_purchase(),
--     $amount_is_net
-- gives: is_text(), normalized, typed, validated

-- Blank is as good as missing. A text may also come as a whole number, a number also as a string; nothing else
-- is guessed.
create temp macro is_text(field, text) as json_type(field) = 'VARCHAR' or regexp_full_match(text, '-?[0-9]+');

create temp table normalized as
select
    topic_id, "partition", "offset", kafka_timestamp, batch_key, unreadable, event,
    text_of(event.{field}) as given_{field},
from fields
where not is_plain;

create temp table typed as
select
    *,
    {typed} as {field},
from normalized;

create temp table validated as
select
    *,
    case when unreadable is not null then unreadable else nullif(concat_ws(',',
        {reason},
    ), '') end as reasons
from typed;
