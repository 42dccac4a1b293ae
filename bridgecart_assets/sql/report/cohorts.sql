-- All cohorts, also those that the grid has no room for.
-- needs: known_cohorts
-- gives: rows

select cohort, customers, net_sales, whole_ages, is_shown
from known_cohorts
order by cohort
