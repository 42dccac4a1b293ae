-- What holds on any shop: what an order is, whose day it is, what a prediction is worth.

-- KPI tables know new customers, refunds, the segments at the close and whether the model changed.
drop table if exists kpi.clv_growth;
drop table if exists kpi.churn_rate;
drop table if exists kpi.average_order_value;
drop table if exists kpi.sales_contribution;
drop table if exists kpi.segment_metrics_history;
