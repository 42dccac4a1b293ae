-- Whether bytes have an id in them.
-- needs: nothing
-- gives: pattern_of(), mentions()

-- Bytes as text show quotes and what is no ASCII as \xFF. C1 is not to be found in C12.
create temp macro pattern_of(customer_id) as
    '(^|[^0-9A-Za-z]|\\x[0-9A-F]{2})' || regexp_escape(encode(customer_id)::varchar) || '($|[^0-9A-Za-z])';
create temp macro mentions(record, pattern) as
    coalesce(regexp_matches(record.payload::varchar, pattern), false)
    or coalesce(regexp_matches(record.key::varchar, pattern), false)
    or coalesce(regexp_matches(record.headers::varchar, pattern), false);
