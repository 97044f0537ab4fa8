"""Which names and values are secret, and how they are kept out of every text.

Pure text work: knows no profile file and no engine, only the ``secret`` mark that settings fields carry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import attrs

from flowforge.errors import FlowForgeError, ProjectErrors
from flowforge.frozen import frozen

if TYPE_CHECKING:
    from flowforge.config.profiles import Profile

MASK = "***"

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_WHOLE = frozenset({"KEY", "KEYS", "DSN", "DSNS", "APIKEY"})
_ENDING = re.compile(r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN)S?$|DSN$")

# The password of a URL may hold any of the separators raw, so the last @ before the path counts.
_URL_PASSWORD = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@]*:(?P<password>[^\s]*?)@(?=[^@\s/?#]*(?:[/?#\s'\"]|$))"
)
_PAIR_PASSWORD = re.compile(
    r"""(?:password|passwd|pwd|token|secret)\s*=\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>[^"]*)"|(?P<bare>[^\s;&'"]+))""",
    re.IGNORECASE,
)
_SHORT = 4


def is_secret_name(name: str) -> bool:
    """Is a variable or field of this name secret?

    ``FF_SECRET_*`` is, and every name with a word such as PASSWORD, TOKEN, SECRET, DSN or KEY in it: ``API_KEY`` and
    ``apiKey`` are, ``MONKEY`` is not.
    """
    if name.upper().startswith("FF_SECRET_"):
        return True
    return any(part.upper() in _WHOLE or _ENDING.search(part.upper()) for part in _PART.findall(name))


def _frozen(values: Iterable[str]) -> frozenset[str]:
    return frozenset(values)


@frozen
class Redactor:
    """Masks secret values in texts; its own ``repr`` shows none of them. Safe from any thread.

    Parameters
    ----------
    values:
        The secrets as they are. Passwords inside of them (URLs, ``key=value`` strings) become secrets of their own.
    """

    values: frozenset[str] = attrs.field(converter=_frozen, repr=False)

    def redact(self, text: str) -> str:
        """*text* with ``***`` in place of every secret, also where it was quoted for a URL, a string or HTML.

        Values under four characters are masked only where they stand alone as words.
        """
        return self._pattern.sub(MASK, text) if self._pattern is not None else text

    def clean(self, error: FlowForgeError) -> FlowForgeError:
        """The same error object without a secret in its texts."""
        for part in error.errors if isinstance(error, ProjectErrors) else ():
            self.clean(part)
        error.message = self.redact(error.message)
        error.args = (error.message,)
        error.help = error.help and self.redact(error.help)
        error.notes = tuple(self.redact(note) for note in error.notes)
        return error

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        secrets = {value for value in self.values if value.strip()}
        secrets |= {password for value in secrets for password in passwords_in(value)}
        forms = {form for secret in secrets for form in _forms(secret)}
        if not forms:
            return None
        # Longest first: an alternation takes what comes first, and half a secret must never be left standing.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        return re.compile("|".join(_as_pattern(form) for form in ordered))

    def __bool__(self) -> bool:
        return self._pattern is not None


def secrets_of(profile: Profile | None, environ: Mapping[str, str]) -> Redactor:
    """Everything that must not appear while *profile* is in use.

    Secret fields of the settings, variables with secret names, and passwords inside of any other setting or variable.
    """
    values: set[str] = set()
    for name, value in environ.items():
        values |= {value} if is_secret_name(name) else set(passwords_in(value))
    if profile is not None and attrs.has(type(profile.settings)):
        for field in attrs.fields(type(profile.settings)):
            secret = bool(field.metadata.get("secret")) or is_secret_name(field.name)
            for text in _texts(getattr(profile.settings, field.name)):
                values |= {text} if secret else set(passwords_in(text))
    return Redactor(values)


def passwords_in(text: str) -> Iterator[str]:
    """The passwords inside of a connection string, as they stand there and decoded."""
    found = [match["password"] for match in _URL_PASSWORD.finditer(text)]
    for match in _PAIR_PASSWORD.finditer(text):
        quoted = match["single"]
        found += [quoted, re.sub(r"\\(.)", r"\1", quoted)] if quoted else [match["double"] or match["bare"] or ""]
    for password in found:
        yield from {password, unquote(password), unquote_plus(password)} - {""}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _forms(secret: str) -> Iterator[str]:
    """A secret in every spelling in which a log, an error or a file may carry it."""
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)} if _encodable(secret) else set()
    yield from (secret, secret.strip(), *quoted)
    for form in quoted:
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form)
    yield from (repr(secret)[1:-1], ascii(secret)[1:-1])
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    import html

    yield from (html.escape(secret), html.escape(secret, quote=False))
    yield from (secret.replace("'", "''"), secret.replace("\\", "\\\\").replace("'", "\\'"))


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _as_pattern(form: str) -> str:
    pattern = re.escape(form)
    return rf"(?<!\w){pattern}(?!\w)" if len(form) < _SHORT else pattern
