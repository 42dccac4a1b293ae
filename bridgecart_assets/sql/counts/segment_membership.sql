-- The number of rows of the view, without reading it: the intervals, and one for each customer who is in another segment
-- now than at the last opening. How many these are, the flows of the open period say.
-- needs: gold.segment_intervals, gold.segment_flows
-- gives: rows

select
    (select count(*) from gold.segment_intervals)
    + (
        select coalesce(sum(customers), 0)::bigint
        from gold.segment_flows
        where period = (select max(period) from gold.segment_flows)
            and opening_key <> closing_key and closing_key <> 'gone'
    ) as number
