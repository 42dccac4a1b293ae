-- A segment's interval ends on the day on which the next one begins, with other figures.
-- needs: kpi.segment_metrics_history
-- gives: rows

with followed as (
    select
        segment_key, valid_from, valid_to,
        row(
            {kept_names},
        ) as metrics,
        lead(valid_from) over intervals as next_from,
        lead(metrics) over intervals as next_metrics
    from kpi.segment_metrics_history
    window intervals as (partition by segment_key order by valid_from, valid_to)
)
select segment_key, valid_from, valid_to, next_from
from followed
where next_from is not null and (valid_to is distinct from next_from or metrics is not distinct from next_metrics)
order by segment_key, valid_from
