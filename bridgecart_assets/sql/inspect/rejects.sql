-- Reasons why records are no order, with a few of the records for each, the first ones.
-- needs: silver.rejected_orders, raw.orders, $examples
-- gives: rows

with given as (
    select unnest(reasons) as reason, topic_id, "partition", "offset" from silver.rejected_orders
),
numbered as (
    select
        *,
        count(*) over (partition by reason) as records,
        row_number() over (partition by reason order by "offset", "partition") as place
    from given
)
select n.reason, n.records, n."partition", n."offset", r.key, r.payload
from numbered n
join raw.orders r using (topic_id, "partition", "offset")
where n.place <= $examples
order by n.records desc, n.reason, n.place
