-- Fields of the batch's records that are not in the contract and look like part of what they mean; without
-- $currency, the currencies that they name. A mapping says itself what the fields of its records mean.
-- needs: raw.orders, silver.readings, json_of(), $batch_key, $currency
-- gives: rows

with telling as (
    select payload
    from raw.orders
    where batch_key = $batch_key
        and batch_key not in (select batch_key from silver.readings where mapping is not null)
        and regexp_matches(decode(payload, 'ignore'), '(?i)"(currency|{telling_fields})"\s*:')
),
named as (
    select body, unnest(json_keys(body)) as name
    from (select json_of(payload)::json as body from telling)
    where json_type(body) = 'OBJECT'
),
said as (
    select lower(name) as field, json_extract(body, '$."' || name || '"') as value
    from named
    where regexp_full_match(lower(name), '{telling_fields}') or (name = 'currency' and $currency is null)
),
counted as (
    select
        field,
        -- What is no word or number may say anything of anybody.
        case when json_type(value) in ('OBJECT', 'ARRAY') then '...' else left(value ->> '$', 30) end as example,
        count(*) as records
    from said
    where json_type(value) <> 'NULL'
    group by all
)
select field, sum(records)::bigint as records, list(example order by records desc, example)[:3] as examples
from counted
group by field
order by records desc, field
