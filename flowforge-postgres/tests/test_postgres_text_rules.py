"""Names, literals, types, settings: what needs no server."""

from __future__ import annotations

from urllib.parse import unquote

import pyarrow as pa
import pytest

from flowforge.errors import UnsupportedError
from flowforge_postgres.connect import address_of, shortened
from flowforge_postgres.dialect import PostgresDialect
from flowforge_postgres.settings import PostgresSettings, plain_dsn

DIALECT = PostgresDialect()


def test_only_ascii_letters_fold() -> None:
    assert DIALECT.fold("ABC_ÄÉ_İ") == "abc_ÄÉ_İ"


def test_names_end_at_63_bytes_whatever_the_letters() -> None:
    assert DIALECT.quote("ä" * 31) == '"' + "ä" * 31 + '"'
    for name in ("ä" * 32, "x" * 64, "🦆" * 16):
        with pytest.raises(UnsupportedError, match="63"):
            DIALECT.quote(name)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.quote(name)


def test_a_text_with_nul_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="NUL"):
        DIALECT.literal("a\0b")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\bword\b", r"\yword\y"),
        (r"\\b", r"\\b"),
        (r"[\b]", r"[\b]"),
        (r"[]\b]\B", r"[]\b]\Y"),
        (r"a|b", r"a|b"),
    ],
)
def test_word_boundaries_are_those_of_python(pattern: str, expected: str) -> None:
    assert DIALECT.regex_match("x", pattern) == f"(x ~ '{expected}')"


def test_named_groups_are_refused() -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.regex_match("x", "(?P<a>b)")


@pytest.mark.parametrize(
    "type_", [pa.struct([("a", pa.int8())]), pa.map_(pa.string(), pa.int8()), pa.list_(pa.list_(pa.int8()))], ids=str
)
def test_types_without_a_column_type_are_refused(type_: pa.DataType) -> None:
    with pytest.raises(UnsupportedError):
        DIALECT.type_name(type_)


def test_lists_are_arrays() -> None:
    assert DIALECT.type_name(pa.list_(pa.decimal128(10, 2))) == "numeric(10,2)[]"


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:p%40ss@db.example:6543/shop",
        "postgres://u:p%40ss@db.example:6543/shop",
        "postgresql+psycopg://u:p%40ss@db.example:6543/shop",
        "postgresql+psycopg2://u:p%40ss@db.example:6543/shop",
        "host=db.example port=6543 user=u password=p@ss dbname=shop",
    ],
)
def test_all_forms_of_a_dsn_say_the_same(dsn: str) -> None:
    address = address_of(PostgresSettings(dsn=dsn))
    found = {key: address.words[key] for key in ("host", "port", "user", "password", "dbname")}
    assert found == {"host": "db.example", "port": "6543", "user": "u", "password": "p@ss", "dbname": "shop"}
    assert address.place == "db.example:6543"


def test_parts_instead_of_a_dsn() -> None:
    address = address_of(PostgresSettings(host="h", port=1, user="u", password="secret", database="d"))
    assert address.words["dbname"] == "d"
    assert address.place == "h:1"


def test_the_password_is_in_no_text() -> None:
    settings = PostgresSettings(dsn="postgresql://u:hush@h/d", password="hush")
    assert "hush" not in repr(settings)
    assert "hush" not in repr(address_of(settings))


@pytest.mark.parametrize("dsn", ["mysql://u:hush@h/d", "u:hush@h/d", "hush"])
def test_what_is_no_dsn_is_refused_without_repeating_it(dsn: str) -> None:
    with pytest.raises(ValueError) as refusal:
        PostgresSettings(dsn=dsn)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("password", ["hu/sh", "hush@hush", "12/hush", "hush/@", "@hush", "hush/", "hu@sh:1"])
def test_no_part_of_a_password_is_taken_for_a_place(password: str) -> None:
    for dsn in (
        f"postgresql://u:{password}@h:1/d",
        f"postgres://u:{password}@h",
        f"postgresql+psycopg://u:{password}@/d",
    ):
        with pytest.raises(ValueError, match="%40") as refusal:
            PostgresSettings(dsn=dsn)
        assert "hu" not in str(refusal.value)
    with pytest.raises(ValueError):
        PostgresSettings(dsn="postgresql://u:hush/d")


@pytest.mark.parametrize("password", ["a?b", "a#b", "a:b", "a%40b%2Fc", "a=b&c", "ä😀", "a,b", "'\\\"", "a[b]"])
def test_other_special_characters_of_a_password_need_no_care(password: str) -> None:
    address = address_of(
        PostgresSettings(dsn=f"postgresql://u:{password}@h:1/d?connect_timeout=3&application_name=x@y")
    )
    found = {key: address.words[key] for key in ("host", "port", "user", "password", "dbname")}
    assert found == {"host": "h", "port": "1", "user": "u", "password": unquote(password), "dbname": "d"}


@pytest.mark.parametrize(
    "dsn",
    ["", "u@h", "/d", "[::1]:5432/d", "u:p@a:1,b:2/d?target_session_attrs=any", "u:p@%2Frun%2Fpg/d", "h?user=x@y"],
)
def test_places_of_all_kinds_are_understood(dsn: str) -> None:
    assert address_of(PostgresSettings(dsn=f"postgresql://{dsn}")).place


@pytest.mark.parametrize("dsn", ["postgresql://u:hush@[::1/d", "password=hush host", "postgresql://u@h/d?hush=1"])
def test_what_libpq_refuses_is_not_repeated(dsn: str) -> None:
    with pytest.raises(Exception) as refusal:
        address_of(PostgresSettings(dsn=dsn))
    assert "hush" not in str(refusal.value)


def test_the_drivers_name_leaves_the_url() -> None:
    assert plain_dsn("postgresql+psycopg://h/d") == "postgresql://h/d"


@pytest.mark.parametrize("wrong", [{"schema": ""}, {"port": 0}, {"lock_timeout": -1}, {"connect_timeout": 0}])
def test_settings_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        PostgresSettings(**wrong)


def test_labels_are_cut_between_letters() -> None:
    assert shortened("ä" * 40) == "ä" * 31
    assert shortened("a" * 70) == "a" * 63
