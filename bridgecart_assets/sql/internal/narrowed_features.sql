-- Features of the customers that changed, without what comes out of their categories: of a few customers, lists are read
-- of all.
-- needs: gold.customer_features, touched
-- gives: narrowed_customer_features

create or replace temp table narrowed_customer_features as
select * exclude (category_count, top_category)
from gold.customer_features
where customer_hash in (select customer_hash from touched);
