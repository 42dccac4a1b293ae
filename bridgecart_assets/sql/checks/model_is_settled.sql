-- Segments of a version that waits for a person.
-- needs: gold.segment_model
-- gives: rows

select version, segment_key, segment, matched_from, centroid_shift, agreement
from gold.segment_model
where status = 'proposed' and version = (select max(version) from gold.segment_model)
order by segment_key
