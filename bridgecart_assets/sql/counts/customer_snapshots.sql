-- The number of rows of the view, without a look at any of them: one of each opening, and one of everyone now.
-- needs: gold.customer_openings, gold.customer_scores
-- gives: rows

select (select count(*) from gold.customer_openings) + (select count(*) from gold.customer_scores) as number
