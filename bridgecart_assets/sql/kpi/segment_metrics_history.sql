-- The history of each segment's headline metrics (SCD type 2). A validity interval begins with a period in which any
-- metric, or the reason why it is missing, is not that of the period before.
-- needs: kpi.clv_growth,
--     kpi.{kpi},
-- gives: kpi.segment_metrics_history

with periods as (
    select
        frame.segment_key, frame.period,
        {kept},
    from kpi.clv_growth as frame
    join kpi.{kpi} using (period, segment_key)
),
compared as (
    select
        *,
        row(
            {kept_names},
        ) as metrics,
        metrics is distinct from lag(metrics) over (partition by segment_key order by period) as begins
    from periods
),
intervals as (
    select
        * exclude (period, metrics, begins),
        period as valid_from,
        lead(period) over (partition by segment_key order by period) as valid_to
    from compared
    where begins
)
select *, valid_to is null as is_current
from intervals
