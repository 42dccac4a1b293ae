-- The as-of date, and the calendar periods that the orders before it fall into.
-- needs: silver.orders, $as_of, $earliest, $kpi_period
-- gives: clock, period_length, period_of(), periods

create or replace temp table clock as
select as_of
from (select coalesce($as_of::date, max(purchased_on) + 1) as as_of from silver.orders)
where as_of is not null;

create or replace temp table period_length as
select case $kpi_period
    when 'day' then interval 1 day
    when 'week' then interval 7 day
    when 'month' then interval 1 month
end as one_period, $kpi_period as unit;

create or replace temp macro period_of(day) as date_trunc((select unit from period_length), day)::date;

create or replace temp table periods as
with bounds as (
    select period_of(o.earliest) as earliest, clock.as_of
    from (select coalesce($earliest::date, min(purchased_on)) as earliest from silver.orders) o, clock
    where o.earliest < clock.as_of
),
openings as (
    select unnest(generate_series(earliest::timestamp, (as_of - 1)::timestamp, one_period))::date as period, as_of,
        one_period
    from bounds, period_length
)
select
    period,
    least((period + one_period)::date, as_of) as closes_on,
    (period + one_period)::date <= as_of as is_complete
from openings;
