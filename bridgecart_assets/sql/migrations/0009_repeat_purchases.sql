-- Spend is expected as that of repeat purchases; versions of the model from before did not tell them apart.

alter table if exists gold.purchase_model add column if not exists repeat_spend_scale double default 1;
