-- Repeat purchases of customers by the month of their first one and the month of the calendar, before the last days and
-- in them: what a season shows in. The month of the first purchase itself is left out, since it is no whole one.
-- needs: purchase_days, clock, $held_out_days
-- gives: rows

with cohorts as (
    select customer_id, date_trunc('month', min(purchased_on))::date as cohort
    from purchase_days
    group by customer_id
),
sizes as (
    select cohort, count(*) as customers from cohorts group by cohort
),
spans as (
    select date_trunc('month', day)::date as opening, day >= as_of - $held_out_days as is_held_out, count(*) as days
    from (
        select unnest(generate_series((select min(cohort) from sizes), as_of - 1, interval 1 day))::date as day, as_of
        from clock
    )
    group by all
),
bought as (
    select
        cohort, date_trunc('month', purchased_on)::date as opening,
        purchased_on >= clock.as_of - $held_out_days as is_held_out, count(*) as purchases
    from purchase_days
    join cohorts using (customer_id)
    cross join clock
    group by all
)
select
    datediff('month', date '1970-01-01', s.cohort) as cohort,
    datediff('month', s.cohort, p.opening) as age,
    month(p.opening) as month,
    p.is_held_out,
    s.customers * p.days as customer_days,
    coalesce(b.purchases, 0) as purchases
from sizes s
join spans p on p.opening > s.cohort
left join bought b using (cohort, opening, is_held_out)
order by s.cohort, p.opening, p.is_held_out
