-- Nearest and second nearest centroid of every row of `to_score`, under the model version in force on its date:
-- the latest that was by then, else the first. So neither a refit nor its acceptance relabels the past.
create temp table scored as
with active as (
    select * from gold.segment_model where status = 'active'
),
versions as (
    select distinct version, in_force_from from active
),
in_force as (
    select
        dates.as_of,
        coalesce(max(v.version) filter (where v.in_force_from <= dates.as_of), min(v.version)) as version
    from (select distinct as_of from to_score) dates
    cross join versions v
    group by dates.as_of
),
distances as (
    select
        t.customer_id, t.as_of, m.version, m.segment_key, m.segment,
        sqrt(
            power((t.log_orders - m.mean_log_orders) / m.scale_log_orders - m.centroid_log_orders, 2)
            + power((t.log_order_value - m.mean_log_order_value) / m.scale_log_order_value - m.centroid_log_order_value, 2)
            + power((t.coupon_share - m.mean_coupon_share) / m.scale_coupon_share - m.centroid_coupon_share, 2)
        ) as distance
    from to_score t
    join in_force f using (as_of)
    join active m using (version)
    where t.log_orders is not null
),
ranked as (
    select
        *,
        row_number() over nearest as place,
        lead(distance) over nearest as next_distance,
        lead(segment_key) over nearest as runner_up_key
    from distances
    window nearest as (partition by customer_id, as_of order by distance, segment_key)
)
select
    customer_id, as_of, version, segment_key, segment, runner_up_key,
    case when next_distance + distance > 0 then (next_distance - distance) / (next_distance + distance) end as confidence
from ranked
where place = 1;
