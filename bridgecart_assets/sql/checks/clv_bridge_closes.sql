-- Segments whose bridge does not lead from the opening to the closing value.
-- needs: kpi.clv_growth
-- gives: rows

select period, segment_key, opening_clv, organic, migrated_in, migrated_out, new_customers, removed, closing_clv,
    opening_clv + organic + migrated_in - migrated_out + new_customers - removed - closing_clv as difference
from kpi.clv_growth
where opening_clv + organic + migrated_in - migrated_out + new_customers - removed <> closing_clv
order by period, segment_key
