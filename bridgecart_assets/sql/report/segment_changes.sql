-- The segments of the newest versions of the segment model, each beside itself in the version that was in force when
-- its own was fitted. A version that waits for a person is none.
-- needs: gold.segment_model
-- gives: rows

with versions as (
    select version, any_value(status) as status
    from gold.segment_model
    group by version
),
compared as (
    select
        version,
        max(version) filter (where status = 'active') over (
            order by version rows between unbounded preceding and 1 preceding
        ) as compared_with
    from versions
    order by version desc
    limit 12
),
keys as (
    select distinct c.version, c.compared_with, m.segment_key
    from compared c
    join gold.segment_model m on m.version in (c.version, c.compared_with)
)
select
    k.version, k.segment_key, new.segment, old.segment as earlier_segment,
    case
        when k.compared_with is null then 'first'
        when new.segment is null then 'gone'
        when old.segment is null then 'new'
        when new.segment <> old.segment then 'renamed'
        else 'kept'
    end as became,
    new.segment_customers, old.segment_customers as earlier_segment_customers
from keys k
left join gold.segment_model new on new.version = k.version and new.segment_key = k.segment_key
left join gold.segment_model old on old.version = k.compared_with and old.segment_key = k.segment_key
order by k.version desc, k.segment_key
