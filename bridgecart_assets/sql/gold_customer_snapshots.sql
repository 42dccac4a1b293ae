select
    t.*,
    coalesce(s.segment_key, 'unassigned') as segment_key,
    s.version as model_version
from snapshots t
left join scored s using (customer_id, as_of)
