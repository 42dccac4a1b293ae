-- What all customers did until now, to compare a segment with.
-- needs: segment_facts
-- gives: rows

select * exclude (segment_key)
from segment_facts
where segment_key = 'all'
