"""Functions and types that an expression of a mapping may use: those of the record alone, the same today and tomorrow.

Not among them is what reads files or settings, what tells the time or chance, what counts over records, and what makes
much of little, such as repeat and range.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NUMBERS = _words("""
    + - * / // % abs ceil ceiling floor round trunc sign mod greatest least isnan isinf isfinite nullif if
""")
TEXTS = _words("""
    || ~~ !~~ ~~* !~~* ~~~ lower upper lcase ucase trim ltrim rtrim replace regexp_replace regexp_extract
    regexp_matches regexp_full_match substring substr left right length strlen contains starts_with ends_with prefix
    suffix position strpos instr split string_split split_part concat concat_ws reverse strip_accents nfc_normalize
    translate md5 sha1 sha256 ascii unicode chr hex unhex base64 to_base64 from_base64 encode decode url_decode
    json_extract_string ->>
""")
TIMES = _words("""
    to_timestamp make_date make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz epoch epoch_ms epoch_us
    epoch_ns strptime try_strptime strftime date_trunc date_part datepart date_diff datediff date_add date_sub timezone
    year month day hour minute second quarter week dayofweek isodow dayofyear last_day age
    to_years to_months to_weeks to_days to_hours to_minutes to_seconds to_milliseconds to_microseconds
""")
WITH_LAMBDA = _words("list_apply list_transform list_filter")
OF_A_LIST = _words("""
    total_of list_sum list_min list_max list_contains list_has list_distinct list_reverse list_sort list_first
    list_last list_any_value array_to_string
""")
OF_LISTS = _words("list_concat list_zip largest_of")
HELPERS = _words("total_of largest_of connect_decimal")
LISTS = (WITH_LAMBDA | OF_A_LIST | OF_LISTS | _words("len list_value struct_pack struct_extract")) - HELPERS
FUNCTIONS = NUMBERS | TEXTS | TIMES | LISTS | HELPERS

# With fewer arguments it counts from today.
LEAST_ARGUMENTS = {"age": 2}

PRESENCE = _words("OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL")
OPERATORS = PRESENCE | _words("""
    OPERATOR_NOT OPERATOR_COALESCE OPERATOR_TRY COMPARE_IN COMPARE_NOT_IN ARRAY_EXTRACT ARRAY_SLICE STRUCT_EXTRACT
""")

TYPES = _words("""
    BOOLEAN BOOL TINYINT SMALLINT INTEGER INT BIGINT LONG HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT
    INT1 INT2 INT4 INT8 DECIMAL NUMERIC FLOAT REAL DOUBLE FLOAT4 FLOAT8 VARCHAR TEXT STRING CHAR BPCHAR BLOB UUID
    DATE TIME TIMESTAMP DATETIME TIMESTAMPTZ TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL LIST
""") | {"TIMESTAMP WITH TIME ZONE"}
