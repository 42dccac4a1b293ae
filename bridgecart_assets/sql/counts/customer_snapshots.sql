-- The number of rows of the view, without reading it: one for each opening of a customer, and one for each customer now.
-- needs: gold.customer_openings, gold.customer_scores
-- gives: rows

select (select count(*) from gold.customer_openings) + (select count(*) from gold.customer_scores) as number
