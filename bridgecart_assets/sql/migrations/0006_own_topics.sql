-- A company's own topics and its history: mappings, states of orders, imported files.
-- Events may be states of an order, with a version, and have refunds inside.
alter table if exists silver.orders add column if not exists version decimal(38, 0);
alter table if exists silver.orders add column if not exists is_void boolean;
alter table if exists silver.orders add column if not exists refunds struct("at" timestamp, amount decimal(18, 2))[];
alter table if exists silver.orders add column if not exists part integer;
alter table if exists silver.orders alter column part type integer using 0;
alter table if exists silver.orders alter column part set not null;
alter table if exists silver.duplicate_orders add column if not exists version decimal(38, 0);
alter table if exists silver.duplicate_orders add column if not exists is_void boolean;
alter table if exists silver.duplicate_orders add column if not exists refunds struct("at" timestamp, amount decimal(18, 2))[];
alter table if exists silver.duplicate_orders add column if not exists part integer;
alter table if exists silver.duplicate_orders alter column part type integer using 0;
alter table if exists silver.duplicate_orders alter column part set not null;
alter table if exists silver.conflicting_orders add column if not exists version decimal(38, 0);
alter table if exists silver.conflicting_orders add column if not exists is_void boolean;
alter table if exists silver.conflicting_orders add column if not exists refunds struct("at" timestamp, amount decimal(18, 2))[];
alter table if exists silver.conflicting_orders add column if not exists part integer;
alter table if exists silver.conflicting_orders alter column part type integer using 0;
alter table if exists silver.conflicting_orders alter column part set not null;
alter table if exists silver.superseded_orders add column if not exists version decimal(38, 0);
alter table if exists silver.superseded_orders add column if not exists is_void boolean;
alter table if exists silver.superseded_orders add column if not exists refunds struct("at" timestamp, amount decimal(18, 2))[];
alter table if exists silver.superseded_orders add column if not exists part integer;
alter table if exists silver.superseded_orders alter column part type integer using 0;
alter table if exists silver.superseded_orders alter column part set not null;
alter table if exists silver.order_lines add column if not exists version decimal(38, 0);
alter table if exists silver.order_lines add column if not exists is_void boolean;
alter table if exists silver.order_lines add column if not exists refunds struct("at" timestamp, amount decimal(18, 2))[];
alter table if exists silver.order_lines add column if not exists part integer;
alter table if exists silver.order_lines alter column part type integer using 0;
alter table if exists silver.order_lines alter column part set not null;
-- One that is void says its order id alone.
alter table if exists silver.duplicate_orders alter column customer_id drop not null;
alter table if exists silver.duplicate_orders alter column customer_hash drop not null;
alter table if exists silver.duplicate_orders alter column purchased_at drop not null;
alter table if exists silver.duplicate_orders alter column order_kind drop not null;
alter table if exists silver.duplicate_orders alter column gross_amount drop not null;
alter table if exists silver.duplicate_orders alter column discount_amount drop not null;
alter table if exists silver.duplicate_orders alter column net_amount drop not null;
alter table if exists silver.duplicate_orders alter column purchased_on drop not null;
alter table if exists silver.superseded_orders alter column customer_id drop not null;
alter table if exists silver.superseded_orders alter column customer_hash drop not null;
alter table if exists silver.superseded_orders alter column purchased_at drop not null;
alter table if exists silver.superseded_orders alter column order_kind drop not null;
alter table if exists silver.superseded_orders alter column gross_amount drop not null;
alter table if exists silver.superseded_orders alter column discount_amount drop not null;
alter table if exists silver.superseded_orders alter column net_amount drop not null;
alter table if exists silver.superseded_orders alter column purchased_on drop not null;
-- By which mapping a batch was read.
alter table if exists silver.readings add column if not exists mapping varchar;
-- It knows refunds inside orders, and is gathered anew.
drop table if exists silver.touched_orders;
-- How an imported file is read.
alter table if exists raw.batches add column if not exists mapping varchar;
-- Before there were mappings, none left out any record.
create schema if not exists silver;
create table if not exists silver.skipped_records (
    batch_key varchar not null, "partition" integer not null, reason varchar not null, records bigint not null
);
create table if not exists silver.mappings (mapping varchar not null, text varchar not null);
-- A shop may have a season.
alter table if exists gold.purchase_model add column if not exists season double[];
alter table if exists gold.purchase_model add column if not exists seasonal_log_score double;
alter table if exists gold.purchase_model add column if not exists seasonal_error double;
