-- The column has the name of what it counts.
alter table if exists gold.refreshes rename column made_whole to full_rebuilds;
