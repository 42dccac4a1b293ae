-- What holds on any shop: what an order is, whose day it is, what a prediction is worth.

-- KPI tables know new customers, refunds, the largest customer, the segments at the close and whether the model changed.
drop table if exists gold.segment_flows;
drop table if exists kpi.clv_growth;
drop table if exists kpi.churn_rate;
drop table if exists kpi.average_order_value;
drop table if exists kpi.sales_contribution;
drop table if exists kpi.segment_metrics_history;
-- The day of an order was that of UTC.
alter table if exists silver.orders add column if not exists purchased_on date;
alter table if exists silver.orders alter column purchased_on type date using purchased_at::date;
alter table if exists silver.orders alter column purchased_on set not null;
alter table if exists silver.duplicate_orders add column if not exists purchased_on date;
alter table if exists silver.duplicate_orders alter column purchased_on type date using purchased_at::date;
alter table if exists silver.duplicate_orders alter column purchased_on set not null;
-- How batches from before were read is not on record.
create schema if not exists silver;
create table if not exists silver.readings (
    batch_key varchar not null, rules_version integer not null, settings map(varchar, varchar) not null
);
-- Which optional fields of an event were wrong, and which attributes of the customer it says.
alter table if exists silver.orders add column if not exists ignored_fields VARCHAR[];
alter table if exists silver.duplicate_orders add column if not exists ignored_fields VARCHAR[];
alter table if exists silver.orders add column if not exists stated_attributes VARCHAR[];
alter table if exists silver.duplicate_orders add column if not exists stated_attributes VARCHAR[];
-- It is gathered anew.
drop table if exists silver.touched_orders;
-- Which traits count, and why there are fewer segments than asked for.
alter table if exists gold.segment_model add column if not exists segments_asked varchar;
alter table if exists gold.segment_model add column if not exists fewer_because varchar;
alter table if exists gold.segment_model add column if not exists left_out_log_purchase_rate varchar;
alter table if exists gold.segment_model add column if not exists left_out_log_spend varchar;
alter table if exists gold.segment_model add column if not exists left_out_coupon_share varchar;
-- Versions of the purchase model say which candidate predicts, and what spend and coupons do to its parameters.
alter table if exists gold.purchase_model add column if not exists candidate varchar;
alter table if exists gold.purchase_model add column if not exists chosen_because varchar;
alter table if exists gold.purchase_model add column if not exists pooled_log_score double;
alter table if exists gold.purchase_model add column if not exists pooled_error double;
alter table if exists gold.purchase_model add column if not exists covariates_log_score double;
alter table if exists gold.purchase_model add column if not exists covariates_error double;
alter table if exists gold.purchase_model add column if not exists spend_level_mean double;
alter table if exists gold.purchase_model add column if not exists spend_level_scale double;
alter table if exists gold.purchase_model add column if not exists coupon_level_mean double;
alter table if exists gold.purchase_model add column if not exists coupon_level_scale double;
alter table if exists gold.purchase_model add column if not exists coefficients double[];
-- Versions of the models from before go on by log-normal spend, without a share of refunds, below what an order may be.
alter table if exists gold.purchase_model add column if not exists spend_model varchar default 'log-normal';
alter table if exists gold.purchase_model add column if not exists spend_mean double default 0;
alter table if exists gold.purchase_model add column if not exists spend_prior_days double default 1;
alter table if exists gold.purchase_model add column if not exists log_spend_scale double default 1;
alter table if exists gold.purchase_model add column if not exists refund_share_mean double default 0;
alter table if exists gold.purchase_model add column if not exists spend_backtest varchar default '[]';
alter table if exists gold.segment_model add column if not exists largest_spend double default 1000000000;
-- Tables of customers with more columns; they are rebuilt as a whole.
drop table if exists gold.customer_features;
drop table if exists gold.customer_snapshots;
-- An order may be the sum of several events.
alter table if exists silver.orders add column if not exists lines integer;
alter table if exists silver.orders alter column lines type integer using 1;
alter table if exists silver.orders alter column lines set not null;
alter table if exists gold.segment_model add column if not exists remarks varchar;
