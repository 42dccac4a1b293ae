-- Of each cohort that is shown, and of all of them together ('all'), by month of age: who bought in it, and the net
-- sales of a customer up to its end. Only months that the youngest of the cohort has behind it: so all are compared at
-- the same age.
-- needs: known_cohorts, since_first_purchase, $most_ages
-- gives: rows

with grid as (
    select k.cohort, k.customers, a.age
    from known_cohorts k
    join range($most_ages) a (age) on a.age < k.whole_ages
    where k.is_shown
),
sums as (
    select cohort, age, sum(buyers) as buyers, sum(net_sales) as net_sales
    from since_first_purchase
    group by cohort, age
),
cells as (
    select
        cohort, customers, age,
        coalesce(buyers, 0) as buyers,
        sum(coalesce(net_sales, 0)) over (partition by cohort order by age) as net_sales
    from grid
    left join sums using (cohort, age)
)
select
    coalesce(cells.cohort::varchar, 'all') as cohort,
    age,
    sum(customers) as customers,
    sum(buyers) as buyers,
    round(sum(buyers)::double / sum(customers), 6) as retention,
    round(sum(net_sales)::double / sum(customers), 2) as mean_clv
from cells
group by grouping sets ((cells.cohort, age), (age))
order by 1, age
