-- Values of the batch that stand with the source's spelling.
-- needs: silver.orders, spellings, $batch_key
-- gives: rows

with used as (
    select null::varchar as field, null::varchar as value where false
    union all select '{spelled_field}', {spelled_column} from silver.orders where batch_key = $batch_key and part = 0
)
select u.field, u.value, count(*) as orders
from used u
left join (select distinct field, canonical from spellings) s on s.field = u.field and s.canonical = u.value
where u.value is not null and s.canonical is null
group by u.field, u.value
order by u.field, orders desc, u.value
