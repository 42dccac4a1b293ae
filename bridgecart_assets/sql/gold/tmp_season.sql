-- How many whole days the season is ahead of the calendar on each day of a year: in days of a season, a date is so many
-- days later. Without a row, a version of the purchase model counts in days of the calendar. It is `season.py` in SQL.
-- needs: gold.purchase_model
-- gives: ahead_of_calendar

create or replace temp table ahead_of_calendar as
with months as (
    select version, month, season[month] - 1 as more, day(last_day(make_date(2001, month::int, 1))) as days
    from gold.purchase_model cross join range(1, 13) as of_year (month)
    where season is not null
),
openings as (
    select *, coalesce(sum(more * days) over before, 0) as ahead
    from months
    window before as (partition by version order by month rows between unbounded preceding and 1 preceding)
)
select
    version, month,
    -- On 29 February the season goes as the year does.
    unnest(range(1, days + case when month = 2 then 2 else 1 end)) as day,
    floor(round(ahead + least(day - 1, days) * more, 6) + 0.5)::int as days
from openings;
