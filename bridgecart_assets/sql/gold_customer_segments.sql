select
    f.customer_id,
    f.as_of,
    coalesce(s.segment_key, 'unassigned') as segment_key,
    coalesce(s.segment, 'unassigned') as segment,
    s.version as model_version,
    s.confidence,
    s.runner_up_key,
    f.net_sales
from gold.customer_features f
left join scored s on s.customer_id = f.customer_id
