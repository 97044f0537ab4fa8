"""The words of SQL that say where a relation is read, and the functions whose results change by themselves.

Data only, in lower case; the words of all common dialects together.
"""

from __future__ import annotations


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


SET_OPERATIONS = _words("union intersect except")
AFTER_SET_OPERATION = _words("all distinct by name corresponding")
DESCRIBING = _words("describe desc summarize show pivot unpivot pivot_wider pivot_longer")
"""Statements over one relation."""

END_OF_FROM = _words("where group having order limit window qualify fetch offset returning")
"""Reserved words that end a list of relations."""

NO_ALIAS = END_OF_FROM | _words(
    "select from with values table as on using join inner left right full outer cross natural semi anti asof positional",
    "global straight_join apply lateral union intersect except minus tablesample sample pivot unpivot",
    "match_recognize match_condition for at before changes connect start cluster distribute sort set window",
)
"""Words behind a relation that are no alias of it."""

_CLOCK_CONSTANTS = _words(
    "current_date current_time current_timestamp current_datetime localtime localtimestamp sysdate systimestamp",
)

CONSTANTS = _CLOCK_CONSTANTS | _words(
    "current_user session_user system_user current_role current_catalog current_schema",
)
"""Volatile without parentheses."""

_CLOCK_FUNCTIONS = _words(
    "now today getdate getutcdate sysdatetime sysutcdatetime sysdatetimeoffset curdate curtime utc_date utc_time",
    "utc_timestamp current_localtime current_localtimestamp get_current_time get_current_timestamp",
    "transaction_timestamp statement_timestamp clock_timestamp timeofday",
)

CLOCK = _CLOCK_CONSTANTS | _CLOCK_FUNCTIONS | _words("unix_timestamp date time datetime timestamp julianday age")
"""Those of the following ones that ask the clock."""

FUNCTIONS = (
    CONSTANTS
    | _CLOCK_FUNCTIONS
    | _words(
        "current_timezone",
        # chance
        "random rand randn randstr random_normal randomblob gen_random_uuid gen_random_bytes uuid_string generate_uuid",
        "uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuidv4 uuidv7 uuid_v4 uuid_v7 uuid7 newid newsequentialid",
        "setseed shuffle uniform rand_uniform reservoir_quantile",
        # counters and the transaction
        "nextval currval lastval setval seq1 seq2 seq4 seq8 monotonically_increasing_id txid_current",
        "txid_current_if_assigned txid_current_snapshot txid_snapshot_xmin txid_snapshot_xmax last_insert_rowid changes",
        "total_changes last_insert_id connection_id",
        # the session and the server
        "version sqlite_version sqlite_source_id current_database current_schemas current_query current_setting",
        "set_config getvariable getenv inet_client_addr inet_client_port inet_server_addr inet_server_port current_warehouse",
        "current_account current_region current_session current_statement current_transaction current_version current_client",
        "last_query_id input_file_name input_file_block_start input_file_block_length",
        # what stands in the database or outside of it
        "query_to_xml table_to_xml schema_to_xml database_to_xml cursor_to_xml lo_get lo_import to_regclass has_table_privilege",
        "http_get http_post http_head readfile fileio_read load_extension",
    )
)
"""Volatile when they are called."""

FUNCTIONS_WITHOUT_ARGUMENTS = _words("uuid unix_timestamp date time datetime timestamp user database schema julianday")
"""Volatile when they are called with nothing."""

FUNCTIONS_OF_ONE_ARGUMENT = _words("age")
"""Volatile when they are called with one argument."""

VOLATILE_SUFFIX = "_partition_id"
SYSTEM_PREFIX = "pg_"
PURE_SYSTEM_FUNCTIONS = _words("pg_typeof pg_column_size pg_collation_for pg_client_encoding pg_input_is_valid")

MOMENTS = _words("now today tomorrow yesterday now()")
"""Texts that some engines read as a time that moves."""

MOMENT_TYPES = _words("date time timetz timestamp timestamptz datetime")
MOMENT_CALLS = MOMENT_TYPES | _words(
    "cast try_cast safe_cast convert julianday unixepoch strftime timediff to_date to_timestamp"
)

PURE_TABLE_FUNCTIONS = _words(
    "unnest range generate_series generate_subscripts generate_date_array generate_array sequence generator repeat",
    "repeat_row values flatten explode explode_outer posexplode posexplode_outer inline inline_outer stack json_tuple",
    "json_each json_each_text json_tree json_array_elements json_array_elements_text json_object_keys json_table",
    "json_to_record json_to_recordset json_populate_record json_populate_recordset jsonb_each jsonb_each_text",
    "jsonb_tree jsonb_array_elements jsonb_array_elements_text jsonb_object_keys jsonb_path_query jsonb_to_record",
    "jsonb_to_recordset jsonb_populate_record jsonb_populate_recordset xmltable openjson string_split string_to_table",
    "split_to_table strtok_split_to_table regexp_split_to_table regexp_matches regexp_extract_all",
)
"""Table functions that read nothing but their arguments."""

FILE_FUNCTIONS = _words(
    "read_csv read_csv_auto read_parquet parquet_scan read_json read_json_auto read_json_objects read_json_objects_auto",
    "read_ndjson read_ndjson_auto read_ndjson_objects read_text read_blob read_xlsx read_avro sniff_csv glob st_read",
    "parquet_metadata parquet_schema parquet_file_metadata csv_scan arrow_scan read_files",
)
"""Table functions that read files."""

PURE_CATALOGUES = _words("pg_catalog system main")
"""Where the engines' own functions are."""

STRING_PREFIXES = _words("e b x n r u rb br")
