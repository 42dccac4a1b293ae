-- Helpers for the expressions of a mapping, and how their values become those of the event. What cannot become one is
-- cast to what it is not: that fails inside TRY, where DuckDB has no other error.
-- needs: instant_of(), is_number(), money_of(), flag_of(), with_quoted_numbers()
-- gives: total_of(), largest_of(), connect_decimal(), trimmed(), instant_from(), number_from(), money_from(), is_whole(),
--     whole_from(), flag_from(), refund_from(), with_exact_numbers(), has_long_number_after(), with_all_digits(),
--     is_in_braces(), header_of()

-- A list of one, so that an argument is computed once: a macro puts it wherever it is named.

-- The sum of a list; NULL if any item is, 0 if there is none.
create or replace temp macro total_of(list) as list_transform(
    [list],
    lambda items: case when len(list_filter(items, lambda item: item is null)) = 0 then coalesce(list_sum(items), 0) end
)[1];

-- The name beside the largest amount; beside the first of them, if several are as large.
create or replace temp macro largest_of(names, amounts) as list_transform(
    [{'names': names, 'amounts': amounts}],
    lambda lists: case when list_max(lists.amounts) is not null
        then lists.names[list_position(lists.amounts, list_max(lists.amounts))] end
)[1];

-- A decimal of Kafka Connect as text, with all its digits: a big endian number in two's complement, and where its point is,
-- which is at most 255 digits from its end.
create or replace temp macro connect_decimal(base64, scale) as list_transform(
    list_transform(
        list_transform(
            [{'hex': hex(from_base64(base64)), 'scale': scale::utinyint}],
            lambda given: {
                'unscaled': ('0x' || given.hex)::hugeint
                    - case when given.hex >= '8' then 1::hugeint << (4 * length(given.hex))::hugeint else 0 end,
                'scale': given.scale
            }
        ),
        lambda number: {
            'sign': case when number.unscaled < 0 then '-' else '' end,
            'digits': lpad(
                abs(number.unscaled)::varchar,
                greatest(length(abs(number.unscaled)::varchar), number.scale + 1)::integer,
                '0'
            ),
            'scale': number.scale
        }
    ),
    lambda number: number.sign || case when number.scale = 0 then number.digits
        else left(number.digits, length(number.digits) - number.scale) || '.' || right(number.digits, number.scale) end
)[1];

-- A text without white space, control and other invisible characters around it; blank is NULL.
create or replace temp macro trimmed(text) as case
    when text between '!' and '~' and text[-1] between '!' and '~' then text
    else nullif(regexp_replace(text, '^[\s\pZ\p{Cc}\p{Cf}]+|[\s\pZ\p{Cc}\p{Cf}]+$', '', 'g'), '') end;

create or replace temp macro instant_from(text) as coalesce(
    case when regexp_full_match(text, '[0-9][0-9-]*[T ][0-9:.]*(Z|[+-]0[0-9]:[0-5][0-9])?')
        then try_cast(text as timestamptz) end,
    instant_of(text),
    (text || ' ?')::timestamptz
);
-- Of these most texts are as they should be: only the others are trimmed first.
create or replace temp macro number_from(text) as case when is_number(text) then text
    when is_number(trimmed(text)) then trimmed(text) else (trimmed(text) || '?')::decimal(18, 2)::varchar end;
create or replace temp macro money_from(text) as
    coalesce(money_of(text), money_of(trimmed(text)), (trimmed(text) || '?')::decimal(18, 2));
create or replace temp macro is_whole(text) as regexp_full_match(text, '[+-]?[0-9]+([.]0+)?');
create or replace temp macro whole_from(text) as case when is_whole(text) then text
    when is_whole(trimmed(text)) then trimmed(text) else trimmed(text) || '?' end::decimal(38, 0);
create or replace temp macro flag_from(text) as coalesce(
    flag_of(text), flag_of(regexp_replace(trimmed(text), '[.]0+$', '')), (trimmed(text) || '?')::boolean
);
-- A refund of nothing may be without its instant.
create or replace temp macro refund_from(instant, money) as {
    'at': instant,
    'amount': case when money = 0 or (money <> 0 and instant is not null) then money
        else ('?' || coalesce(money::varchar, ''))::decimal(18, 2) end
};

-- JSON with its numbers as texts, digit by digit, and NaN as null. Strings are passed over; no JSON has the mark in it.
create or replace temp macro with_exact_numbers(body) as replace(regexp_replace(regexp_replace(
    with_quoted_numbers(body), '("(?:[^"\\]|\\.)*")|-?(?:nan|NaN|NAN)', '\1' || chr(1), 'g'
), '([^"])' || chr(1), '\1null', 'g'), chr(1), '');
-- JSON of which no number loses a digit that DuckDB reads as floating point. Most has none that could: no fraction that ends
-- where a number does. That is searched for by its point, ten times as fast as what may begin with anything; and so are the
-- long ones.
create or replace temp macro has_long_number_after(body, mark) as
    regexp_matches(body, mark || '\s*-?([0-9]{10,}[.]|[0-9]+[.][0-9]{7}|nan|NaN|NAN)');
create or replace temp macro with_all_digits(body) as case
    when not (
        regexp_matches(body, '[.][0-9]+([eE][+-]?[0-9]+)?\s*[],}]')
        or contains(body, 'NaN') or contains(body, 'nan') or contains(body, 'NAN')
    ) then body
    when not (
        has_long_number_after(body, ':') or has_long_number_after(body, ',') or has_long_number_after(body, '\[')
    ) then body
    else with_exact_numbers(body) end;

-- What is no object has no such ends; white space around them is JSON's.
create or replace temp macro is_in_braces(body) as regexp_full_match(body, '\s*[{](?s:.*)[}]\s*');

-- The text of the last header of a name.
create or replace temp macro header_of(headers, wanted) as
    try(decode(list_filter(headers, lambda header: header.name = wanted)[-1].value));
