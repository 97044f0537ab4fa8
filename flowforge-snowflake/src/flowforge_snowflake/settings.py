"""What a profile may say about Snowflake. Knows no driver."""

from __future__ import annotations

from typing import Any

import attrs

from flowforge.contract import setting

LOADS = ("auto", "stage", "insert")


def _named(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not value.strip():
        raise ValueError(f"{attribute.name} must not be empty")


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{attribute.name} must be more than 0, not {value:g}")


def _account(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    _named(instance, attribute, value)
    if "/" in value or value.lower().endswith(".snowflakecomputing.com"):
        raise ValueError("account is the part in front of .snowflakecomputing.com, such as myorg-myaccount")


def _protocol(instance: object, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value not in (None, "http", "https"):
        raise ValueError(f"protocol is https or http, not {value!r}")


def _load(instance: object, attribute: attrs.Attribute[Any], value: str) -> None:
    if value not in LOADS:
        raise ValueError(f"load is one of {', '.join(LOADS)}, not {value!r}")


@attrs.frozen(kw_only=True)
class SnowflakeSettings:
    """The settings of the engine ``snowflake_snowpark``. Who logs in is one of: password, key, token, browser."""

    account: str = setting(
        env="FF_SF_ACCOUNT", validator=_account, help="The account's identifier: organization-account."
    )
    user: str = setting(env="FF_SF_USER", validator=_named, help="Who logs in.")
    database: str = setting(env="FF_SF_DATABASE", validator=_named, help="The database of relations that name none.")
    schema: str = setting(
        default="PUBLIC",
        env="FF_SF_SCHEMA",
        aliases=("db_schema",),
        validator=_named,
        help="The schema of relations that name none.",
    )
    warehouse: str | None = setting(
        default=None, env="FF_SF_WAREHOUSE", validator=_named, help="What computes; default: the user's own."
    )
    role: str | None = setting(
        default=None, env="FF_SF_ROLE", validator=_named, help="The role to act as; default: the user's own."
    )
    password: str | None = setting(default=None, env="FF_SF_PASSWORD", secret=True, help="The user's password.")
    private_key_path: str | None = setting(
        default=None,
        env="FF_SF_PRIVATE_KEY_PATH",
        aliases=("private_key_file",),
        secret=True,
        help="A file with the user's private key (PEM, PKCS#8), anywhere on this machine.",
    )
    private_key: str | None = setting(
        default=None, env="FF_SF_PRIVATE_KEY", secret=True, help="The private key itself, as PEM text."
    )
    private_key_passphrase: str | None = setting(
        default=None, env="FF_SF_PRIVATE_KEY_PASSPHRASE", secret=True, help="What the private key is encrypted with."
    )
    token: str | None = setting(
        default=None,
        env="FF_SF_TOKEN",
        secret=True,
        help="A token, for authenticator oauth or programmatic_access_token.",
    )
    authenticator: str | None = setting(
        default=None,
        env="FF_SF_AUTHENTICATOR",
        validator=_named,
        help="How to log in, in the connector's words: externalbrowser, oauth, an address of Okta, ...",
    )
    host: str | None = setting(
        default=None, env="FF_SF_HOST", validator=_named, help="The server, when it is not the account's own address."
    )
    port: int | None = setting(default=None, validator=_positive, help="The server's port; default: 443.")
    protocol: str | None = setting(default=None, validator=_protocol, help="https, or http for a server of tests.")
    allow_create_schema: bool = setting(
        default=True, env="FF_SF_ALLOW_CREATE_SCHEMA", help="Whether schemas that are missing are created."
    )
    transient: bool = setting(
        default=False, help="Whether tables are made without fail-safe, where a model does not say."
    )
    copy_grants: bool = setting(default=True, help="Whether a table or view that is replaced keeps who may read it.")
    query_tag: str | None = setting(
        default=None, help="A text behind FlowForge's own in the tag of each statement, for reports on costs."
    )
    statement_timeout: float | None = setting(
        default=None, validator=_positive, help="Seconds that any statement may take."
    )
    connect_timeout: float = setting(
        default=8, validator=_positive, help="Seconds to wait for the server to accept the login."
    )
    load: str = setting(
        default="auto",
        validator=_load,
        help="How rows are loaded: stage (files, then COPY), insert (as text), auto (by their number).",
    )
    stage: str | None = setting(
        default=None, validator=_named, help="The stage for files, such as db.schema.name; default: the user's own."
    )
