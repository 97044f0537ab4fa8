"""What a profile may say about PostgreSQL. Knows no driver."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from flowforge.contract import setting

_URL = re.compile(r"^(?P<scheme>[a-z][a-z0-9]*)(?:\+(?P<driver>[a-z0-9]+))?://", re.IGNORECASE)
_PAIR = re.compile(r"^\s*[a-z_]+\s*=", re.IGNORECASE)
_PLACE = r"(?:\[[^\]]*\]|[^:,@?\[\]]*)(?::\d*)?"
_PLACES = re.compile(rf"(?:^|@){_PLACE}(?:,{_PLACE})*(?:\?.*)?$", re.DOTALL)
_SCHEMES = ("postgresql", "postgres")


def plain_dsn(dsn: str) -> str:
    """*dsn* as libpq understands it: URLs lose the name of a Python driver.

    Raises
    ------
    ValueError
        When it is neither a URL of PostgreSQL nor ``key=value`` pairs. The text does not repeat *dsn*.
    """
    url = _URL.match(dsn)
    if url is None:
        if _PAIR.match(dsn):
            return dsn
        raise ValueError("a dsn is written postgresql://user:password@host:port/database, or as key=value pairs")
    if url["scheme"].lower() not in _SCHEMES:
        raise ValueError(f"a dsn starts with postgresql://, not {url['scheme']}://")
    rest = dsn[url.end() :]
    authority, _, tail = rest.partition("/")
    # libpq would take a part of the password for a host, a port or a database, and error messages show those.
    if authority.count("@") > 1 or "@" in tail.partition("?")[0] or not _PLACES.search(authority):
        raise ValueError("special characters of a password are written as %XX in a dsn: @ as %40, / as %2F, : as %3A")
    return f"postgresql://{rest}"


def _dsn(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None:
        plain_dsn(value)


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{attribute.name} must be more than 0, not {value:g}")


def _named(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if not value:
        raise ValueError(f"{attribute.name} must not be empty")


@attrs.frozen(kw_only=True)
class PostgresSettings:
    """The settings of the engine ``postgres``: a ``dsn``, or its parts, or what ``PG*`` variables say."""

    dsn: str | None = setting(
        default=None,
        env="FF_PG_DSN",
        secret=True,
        validator=_dsn,
        help="The server and the database: postgresql://user:password@host:port/database, or key=value pairs.",
    )
    schema: str = setting(
        default="public",
        env="FF_PG_SCHEMA",
        aliases=("db_schema",),
        validator=_named,
        help="The schema of relations that name none.",
    )
    host: str | None = setting(default=None, help="The server, when no dsn says it.")
    port: int | None = setting(default=None, validator=_positive, help="The server's port, when no dsn says it.")
    user: str | None = setting(default=None, help="The role that logs in, when no dsn says it.")
    password: str | None = setting(
        default=None, env="FF_PG_PASSWORD", secret=True, help="The role's password, when no dsn says it."
    )
    database: str | None = setting(default=None, help="The database, when no dsn says it.")
    sslmode: str | None = setting(
        default=None, help="How to encrypt, as in libpq: disable, prefer, require, verify-ca, verify-full."
    )
    role: str | None = setting(default=None, help="A role to take on after logging in.")
    search_path: tuple[str, ...] = setting(
        default=(),
        affects_data=True,
        help="Further schemas in which names without a schema are looked for, after the profile's own.",
    )
    connect_timeout: int = setting(
        default=8, validator=_positive, help="Seconds to wait for the server to answer a connection."
    )
    lock_timeout: float | None = setting(
        default=None,
        validator=_positive,
        help="Seconds that a statement may wait for the locks of others; without it --lock-timeout decides in a build.",
    )


_DBNAME = re.compile(r"(?:^|[\s?&])dbname\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&]+))")


def database_of(settings: PostgresSettings) -> str | None:
    """The database that is connected to, where the settings say it; ``None``: the server or the environment does."""
    dsn = settings.dsn
    if dsn is None:
        return settings.database
    url = _URL.match(dsn)
    if url is not None:
        named = unquote(urlsplit(dsn).path.lstrip("/"))
        if named:
            return named
    found = _DBNAME.search(dsn)
    if found is None:
        return None
    return re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else unquote(found[2]) if url else found[2]
