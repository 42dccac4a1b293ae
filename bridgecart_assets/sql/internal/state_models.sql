-- Whatever the models say about anybody.
-- needs: gold.purchase_model, gold.segment_model
-- gives: rows

select
    (select md5(string_agg(m::varchar, chr(10) order by m::varchar)) from gold.purchase_model m) as purchase_model,
    (select md5(string_agg(m::varchar, chr(10) order by m::varchar)) from gold.segment_model m) as segment_model
