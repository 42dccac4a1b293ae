-- Canonical spellings. A value is looked up by its letters and digits alone, in lower case, of whatever script;
-- a value that is not listed stays as the source wrote it, and a check names it.
-- needs: nothing
-- gives: spellings, lookup_key_of()

create or replace temp table spellings as
select * from (values
    ({spelling_of}, {lookup_key}, {canonical}),
) as listed (field, lookup_key, canonical);

create or replace temp macro lookup_key_of(value) as regexp_replace(lower(value), '[^\pL\pM\pN]', '', 'g');
