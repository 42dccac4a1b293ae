-- Where the segments' centres are, in standard deviations from the mean customer, and how many were fitted.
select segment_key, centroid_log_spend as spend, centroid_log_purchase_rate as purchases, segment_customers as customers
from gold.segment_model
where status = 'active'
order by segment_key
