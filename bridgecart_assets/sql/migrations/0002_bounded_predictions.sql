-- Versions of the purchase model know how much the best customer spent. Of older ones it is what an order may be.
alter table if exists gold.purchase_model add column largest_mean_spend double default 1000000000;
alter table if exists gold.purchase_model alter column largest_mean_spend drop default;
alter table if exists gold.purchase_model alter column largest_mean_spend set not null;

-- Sums over all customers.
alter table if exists kpi.clv_growth alter column opening_predicted_clv type decimal(38, 2);
alter table if exists kpi.clv_growth alter column closing_predicted_clv type decimal(38, 2);
