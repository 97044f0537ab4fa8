"""Makes clients of the service: credentials by reference, and never a long wait for somebody who does not answer."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import google.auth
import google.auth.transport.requests
from google.api_core.client_options import ClientOptions
from google.auth import exceptions, impersonated_credentials
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.oauth2 import service_account

from flowforge.errors import EngineError, ErrorKind

if TYPE_CHECKING:
    from flowforge_bigquery.settings import BigQuerySettings

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def make_client(settings: BigQuerySettings) -> bigquery.Client:
    """A client with the settings' credentials. Asks the service nothing.

    Raises
    ------
    EngineError
        Of kind ``AUTH``, naming the setting.
    """
    options = ClientOptions(api_endpoint=settings.api_endpoint) if settings.api_endpoint else None
    if settings.api_endpoint and settings.api_endpoint.startswith("http://"):
        credentials: Any = AnonymousCredentials()
        http: Any = None
    else:
        credentials = credentials_of(settings)
        http = google.auth.transport.requests.AuthorizedSession(credentials, refresh_timeout=settings.connect_timeout)
    return bigquery.Client(
        project=settings.project,
        credentials=credentials,
        location=settings.location,
        client_options=options,
        _http=http,
    )


def credentials_of(settings: BigQuerySettings) -> Any:
    """What the settings refer to: a file, or the environment's own."""
    if settings.keyfile is not None:
        found = _from_file(Path(settings.keyfile))
    else:
        try:
            found, _ = google.auth.default(scopes=_SCOPES, request=_Hurried(settings.connect_timeout))
        except exceptions.GoogleAuthError as exc:
            raise EngineError(
                f"there are no Google credentials here: {str(exc).splitlines()[0]}",
                kind=ErrorKind.AUTH,
                help="set keyfile in the profile, or log in: gcloud auth application-default login",
            ) from exc
    if settings.impersonate_service_account:
        return impersonated_credentials.Credentials(found, settings.impersonate_service_account, list(_SCOPES))
    return found


def _from_file(file: Path) -> Any:
    """The account of a key file. Nothing of the file's text ever enters an error."""
    try:
        info = json.loads(file.read_text("utf-8"))
    except OSError as exc:
        raise EngineError(
            f"keyfile cannot be read: {exc.strerror}: {file}",
            kind=ErrorKind.AUTH,
            help="correct keyfile in the profile",
        ) from exc
    except ValueError as exc:
        raise EngineError(f"keyfile holds no JSON: {file}", kind=ErrorKind.AUTH, help="download the key anew") from exc
    kind = info.get("type") if isinstance(info, dict) else None
    try:
        if kind == "service_account":
            return service_account.Credentials.from_service_account_info(info, scopes=list(_SCOPES))
    except (ValueError, exceptions.GoogleAuthError):
        kind = "service_account, but it is damaged"
    raise EngineError(
        f"keyfile is no key of a service account (its type is {kind}): {file}",
        kind=ErrorKind.AUTH,
        help="create a JSON key of a service account, or remove keyfile to use the credentials of the environment",
    )


@attrs.define
class _Hurried:
    """Asks as Google's own transport does, but for all questions together no longer than *seconds*."""

    seconds: float
    _ends: float | None = None
    _inner: Any = attrs.field(factory=lambda: google.auth.transport.requests.Request())

    def __call__(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        now = time.monotonic()
        self._ends = self._ends or now + self.seconds
        left = self._ends - now
        if left <= 0:
            raise exceptions.TransportError("nobody answered in time")
        return self._inner(*args, timeout=min(left, timeout or left, 3.0), **kwargs)
