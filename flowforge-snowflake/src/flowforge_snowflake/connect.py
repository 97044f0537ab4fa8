"""Logs in, and says what every session is like: the same on each account, whatever its parameters say."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import snowflake.connector
from snowflake.connector import SnowflakeConnection
from snowflake.connector import errors as driver
from snowflake.connector.util_text import construct_hostname

from flowforge.errors import EngineError, ErrorKind
from flowforge_snowflake.dialect import SnowflakeDialect
from flowforge_snowflake.errors import kind_of, message_lines
from flowforge_snowflake.settings import SnowflakeSettings

# What names, casts and texts of values rely on.
_SAME_EVERYWHERE: dict[str, Any] = {
    "TIMEZONE": "UTC",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "DATE_INPUT_FORMAT": "AUTO",
    "TIME_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6",
    "TIMESTAMP_LTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM",
    "TIMESTAMP_TZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
    "BINARY_INPUT_FORMAT": "HEX",
    "BINARY_OUTPUT_FORMAT": "HEX",
    "WEEK_START": 1,
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "ERROR_ON_NONDETERMINISTIC_MERGE": True,
    "CLIENT_TELEMETRY_ENABLED": False,
    "CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False,
}
_EXPIRED = (390110, 390112, 390114, 390195, 390303, 390318, 394301, 394400)
_ROLE = 390189
_ENDING = re.compile(r"^(?:Failed to connect to DB: \S+?\. )+")


def arguments(settings: SnowflakeSettings) -> dict[str, Any]:
    """What the connector has to be told; holds secrets.

    Raises
    ------
    EngineError
        When nothing says how to log in, or a private key cannot be read.
    """
    fold = SnowflakeDialect().fold
    given: dict[str, Any] = {
        "account": settings.account,
        "user": settings.user,
        "host": settings.host,
        "port": settings.port,
        "protocol": settings.protocol,
        "role": settings.role,
        "warehouse": settings.warehouse,
        "database": _word(fold(settings.database)),
        "schema": _word(fold(settings.schema)),
        "authenticator": settings.authenticator,
        "password": settings.password,
        "token": settings.token,
    }
    words = {key: value for key, value in given.items() if value is not None}
    if settings.private_key_path is not None or settings.private_key is not None:
        words["private_key"] = _key(settings)
        words.setdefault("authenticator", "SNOWFLAKE_JWT")
    elif settings.token is not None:
        words.setdefault("authenticator", "oauth")
    elif settings.password is None and settings.authenticator is None:
        raise EngineError(
            "the profile does not say how to log in to Snowflake",
            kind=ErrorKind.AUTH,
            help="set password (FF_SF_PASSWORD), private_key_path, token, or authenticator: externalbrowser",
        )
    return {
        **words,
        "application": "FlowForge",
        "autocommit": True,
        "arrow_number_to_decimal": True,
        "login_timeout": settings.connect_timeout,
        "platform_detection_timeout_seconds": 0.0,  # else every login asks the addresses of three clouds
        "log_imported_packages_in_telemetry": False,
        "session_parameters": dict(_SAME_EVERYWHERE),
    }


def _word(name: str) -> str:
    """A name as the login takes it, which folds what has no quotes."""
    return name if name == name.upper() and re.fullmatch(r"[A-Z_][A-Z0-9_$]*", name) else f'"{name}"'


def _key(settings: SnowflakeSettings) -> bytes:
    from cryptography.hazmat.primitives import serialization

    place, secret = "private_key", settings.private_key_passphrase
    try:
        if settings.private_key is not None:
            pem = settings.private_key.encode()
        else:
            place = "private_key_path"
            pem = Path(str(settings.private_key_path)).expanduser().read_bytes()
        key = serialization.load_pem_private_key(pem, secret.encode() if secret else None)
    except OSError as exc:
        raise EngineError(
            f"the private key's file cannot be read: {exc.strerror or type(exc).__name__}",
            kind=ErrorKind.AUTH,
            help="correct private_key_path in the profile",
        ) from None
    except (ValueError, TypeError):
        reason = "it is encrypted, or no PEM" if secret is None else "it is no PEM, or the passphrase is another one"
        raise EngineError(
            f"the private key of {place} cannot be read: {reason}",
            kind=ErrorKind.AUTH,
            help="check private_key_passphrase (FF_SF_PRIVATE_KEY_PASSPHRASE) and the key itself",
        ) from None
    made: bytes = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made


def reach(settings: SnowflakeSettings) -> None:
    """See that somebody answers where the account is, because the connector would try for minutes.

    Raises
    ------
    EngineError
        Naming the host, within the seconds of ``connect_timeout``.
    """
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return  # names may be known to the proxy only
    host = settings.host or construct_hostname(None, settings.account)
    port = settings.port or (80 if settings.protocol == "http" else 443)
    try:
        _greet(host, port, settings)
    except ssl.SSLError:
        return  # somebody is there; what is wrong with the certificate is told by the connector
    except (OSError, UnicodeError) as exc:
        if isinstance(exc, socket.gaierror | UnicodeError):
            reason, setting = (
                "there is no such host",
                "host (FF_SF_HOST)" if settings.host else "account (FF_SF_ACCOUNT)",
            )
        else:
            reason, setting = (
                (exc.strerror or "no answer").lower(),
                "account (FF_SF_ACCOUNT), host (FF_SF_HOST) and port",
            )
        if isinstance(exc, TimeoutError):
            reason = f"no answer within {settings.connect_timeout:g} seconds"
        raise EngineError(
            f"cannot connect to Snowflake at {host}:{port}: {reason}",
            kind=ErrorKind.CONNECTION,
            retryable=True,
            help=f"check {setting} in the profile, and the network, then run again",
        ) from None


def _greet(host: str, port: int, settings: SnowflakeSettings) -> None:
    """Ask for anything and wait for any answer: a firewall or a balancer takes connections too, and then says nothing."""
    kind = http.client.HTTPConnection if settings.protocol == "http" else http.client.HTTPSConnection
    caller = kind(host, port, timeout=settings.connect_timeout)
    try:
        caller.request("HEAD", "/")
        caller.getresponse()
    except http.client.HTTPException:
        return  # an answer too
    finally:
        caller.close()


def connect(settings: SnowflakeSettings) -> SnowflakeConnection:
    """A new connection, in autocommit mode.

    Raises
    ------
    EngineError
        Naming the account and the setting that is to be corrected, never a secret.
    """
    words = arguments(settings)
    try:
        connection = snowflake.connector.connect(**words)
    except (driver.Error, UnicodeError, ValueError, TypeError) as exc:
        raise _refused(exc, settings) from None  # the driver's own text repeats more than people should see
    connection.telemetry_enabled = False
    for name, found in (("database", connection.database), ("warehouse", connection.warehouse)):
        wanted = getattr(settings, name)
        if wanted is not None and found is None:
            with contextlib.suppress(driver.Error):
                connection.close()
            raise EngineError(
                f"the {name} {wanted!r} does not exist in Snowflake, or the role may not use it",
                kind=ErrorKind.MISSING,
                help=f"correct {name} in the profile (FF_SF_{name.upper()}), or grant USAGE on it to the role",
            )
    return connection


def _refused(exc: Exception, settings: SnowflakeSettings) -> EngineError:
    number = getattr(exc, "errno", None)
    reason = _ENDING.sub("", "; ".join(message_lines(exc))) if isinstance(exc, driver.Error) else type(exc).__name__
    for secret in (settings.password, settings.token, settings.private_key, settings.private_key_passphrase):
        if secret:
            reason = reason.replace(secret, "***")
    kind = kind_of(exc) if isinstance(exc, driver.Error) else ErrorKind.CONNECTION
    place = settings.host or f"account {settings.account}"
    if number in _EXPIRED:
        help_ = "the token or key has expired: get a new one (settings token, private_key_path, authenticator)"
    elif number == _ROLE:
        help_ = "correct role in the profile (FF_SF_ROLE), or grant the role to the user"
    elif kind is ErrorKind.AUTH or number in range(251005, 251009):
        kind = ErrorKind.AUTH
        help_ = "check user, password (FF_SF_PASSWORD), private_key_path or token in the profile"
    elif kind is ErrorKind.PERMISSION:
        help_ = "the network policy of the account has to let this machine in"
    else:
        kind = ErrorKind.CONNECTION
        help_ = "check account (FF_SF_ACCOUNT) and host in the profile, and the network, then run again"
    return EngineError(
        f"cannot connect to Snowflake at {place}: {reason}",
        kind=kind,
        retryable=kind is ErrorKind.CONNECTION,
        help=help_,
    )
