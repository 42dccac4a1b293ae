-- What all customers did until now, to compare a segment with.
select * exclude (segment_key)
from segment_facts
where segment_key = 'all'
