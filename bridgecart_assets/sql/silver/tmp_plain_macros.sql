-- What no rule of the contract objects to, nor changes, told from how a field stands in the JSON: strings without
-- escapes and without anything invisible at their ends, whole numbers, amounts as most programs write them, times
-- without a strange zone. Most records have nothing else. What has goes to tmp_validated, which decides everything,
-- but takes several times as long.
-- needs: nothing
-- gives: is_plain_text(), is_plain_amount(), is_plain_time(), is_short_string(), is_plain_unsigned()

create temp macro is_plain_text(field) as strlen(field) <= 200
    and regexp_full_match(field::varchar, '"[!#-\[\]-~\pL]([^"\\]*[!#-\[\]-~\pL])?"|-?[0-9]+');
create temp macro is_plain_amount(field) as regexp_full_match(field::varchar, '-?[0-9]{1,9}([.][0-9]{1,6})?');
create temp macro is_plain_unsigned(field) as regexp_full_match(field::varchar, '[0-9]{1,9}([.][0-9]{1,6})?');
create temp macro is_plain_time(field) as
    regexp_full_match(field::varchar, '"[0-9][0-9-]*[T ][0-9:.]*(Z|[+-]0[0-9]:[0-5][0-9])?"');
-- Of a field that is not read here: a string that says something.
create temp macro is_short_string(field) as strlen(field) <= 200
    and regexp_matches(field::varchar, '^"[!#-\[\]-~\pL]');
