-- Batches that were read from raw with other settings, or by other rules, than those of now.
-- needs: raw.batches, silver.readings, $rules_version, $setting_names, $setting_values
-- gives: rows

with asked as (
    select 'rules' as name, $rules_version::varchar as value
    union all
    select unnest($setting_names::varchar[]), unnest($setting_values::varchar[])
),
known as (
    select
        b.batch_key, a.name, a.value,
        case when a.name = 'rules' then r.rules_version::varchar else r.settings[a.name] end as was
    from raw.batches b
    left join silver.readings r using (batch_key)
    join asked a on a.name = 'rules' or r.batch_key is not null
)
select
    name, was, value, count(*) as batches,
    format(case
        when name = 'rules' then '{} of {} batches were read by other rules than those of this version of BridgeCart.'
        else '{} of {} batches were read with BRIDGECART_{}={}, and it is {} now.'
    end, count(*), (select count(*) from raw.batches), upper(name), coalesce(was, 'unknown'), value) as says
from known
where was is distinct from value
group by name, was, value
order by name, was
