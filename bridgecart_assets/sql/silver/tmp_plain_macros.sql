-- What no rule of the contract objects to, nor changes, told from the text of a field: letters and digits at its ends,
-- whole numbers, amounts as most programs write them, times without a strange zone. Most records have nothing else. What
-- has goes to tmp_validated, which decides everything, but takes several times as long.
-- A text does not say what it was in the JSON. So what looks like a number that is not whole, a truth value, a list or an
-- object is not plain; nor are NaN and Infinity, which DuckDB reads in any case of their letters.
-- needs: nothing
-- gives: plain_beginning(), is_plain_text(), is_telling_text(), is_plain_amount(), is_plain_unsigned(), is_plain_time()

-- One line each: most texts, in any script; texts that begin with digits, as hexadecimal ids do, and go on as no number
-- does; those with the first letter of a word of JSON that go on as that does not.
create or replace temp macro plain_beginning() as '([!#-,./:-HJ-MO-Z^-eghj-mo-su-z|~]|[^\x00-\x7f\PL]'
    || '|[0-9]+([!#-\-/:-DF-\[\]-df-~]|[eE][0-9]*[!#-*,/:-DF-\[\]-df-~])'
    || '|t([!-qs-~]|r[!-tv-~]|ru[!-df-~]|rue[!-~])|f([!-`b-~]|a[!-km-~]|al[!-rt-~]|als[!-df-~]|alse[!-~])'
    || '|[nN]([!-@B-`b-~]|[aA]([!-MO-mo-~]|[nN][!-~]))|[iI]([!-MO-mo-~]|[nN]([!-EG-eg-~]|[fF][!-HJ-hj-~])))';
create or replace temp macro is_plain_text(text) as regexp_full_match(
    text, '-?[0-9]+|[A-Za-z]{1,2}|' || plain_beginning() || '([^\x00-\x1f]*[!-~\pL])?'
);
-- Of a field that is not read here: a text that says something.
create or replace temp macro is_telling_text(text) as
    regexp_matches(text, '^(-?[0-9]+$|[A-Za-z]{1,2}$|' || plain_beginning() || ')');

-- JSON's numbers come through floating point, which keeps 15 digits. So nothing that was written is rounded to other
-- cents than this, unless it lies just beside the middle between two.
create or replace temp macro is_plain_amount(text) as
    regexp_full_match(text, '-?[0-9]{1,9}([.][0-9]{1,2}([0-9]{0,3}[1-46-9])?)?');
create or replace temp macro is_plain_unsigned(text) as
    regexp_full_match(text, '[0-9]{1,9}([.][0-9]{1,2}([0-9]{0,3}[1-46-9])?)?');
-- As most programs write a time, it is a good one wherever DuckDB reads one, which is seen in a third of the time.
create or replace temp macro is_plain_time(text) as case
    when text like '____-__-__T__:__:__%Z' and strlen(text) <= 27 then true
    else regexp_full_match(text, '[0-9][0-9-]*[T ][0-9:.]*(Z|[+-]0[0-9]:[0-5][0-9])?') end;
