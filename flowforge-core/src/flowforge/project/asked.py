"""Settings whose values are asked for: ``config(schema=var('place'))``, or ``"{{ env('PLACE') }}"`` in YAML.

They are answered while the project is loaded, from the same variables that templates see later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from flowforge.config.flaws import nearest
from flowforge.config.secrets import is_secret_name
from flowforge.errors import ModelConfigError
from flowforge.frozen import frozen

_CALL = re.compile(r"\{\{\s*(var|env)\s*\(")
_END = re.compile(r"\s*\}\}\s*")


@frozen
class Asked:
    """A value that ``var`` or ``env`` gives. *args* are the call's positional ones, *default* is in there."""

    function: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = attrs.field(factory=dict)


_TEMPLATES = ("delta_sql", "sql")
"""Parts of settings that are templates of their own."""


@frozen
class Answers:
    """What can be asked for while a project is loaded."""

    vars: Mapping[str, Any] = attrs.field(factory=dict)
    environ: Mapping[str, str] = attrs.field(factory=dict)

    def give(self, value: Any, *, texts: bool = False) -> Any:
        """*value* with an answer in the place of everything that is asked for.

        Parameters
        ----------
        texts:
            Texts may ask as templates do.

        Raises
        ------
        ModelConfigError
            When there is no answer, or it is a secret.
        """
        if isinstance(value, Asked):
            return self._answer(value)
        if isinstance(value, str) and texts and "{{" in value:
            asked = asked_in(value)
            if asked is None:
                raise ModelConfigError(
                    "a template in a setting is one call of var() or env(), and nothing else",
                    code="FF1121",
                    help="for example \"{{ var('place') }}\", without anything in front or behind",
                )
            return self._answer(asked)
        if isinstance(value, Mapping):
            return {key: self.give(item, texts=texts and key not in _TEMPLATES) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(self.give(item, texts=texts) for item in value)
        return value

    def _answer(self, asked: Asked) -> Any:
        names = ("name", "default")
        given = {**dict(zip(names, asked.args, strict=False)), **asked.kwargs}
        name = given.get("name")
        if len(asked.args) > 2 or set(given) - set(names) or not isinstance(name, str):
            raise ModelConfigError(f"{asked.function}() takes a name and a default", code="FF1407")
        if asked.function == "env":
            if is_secret_name(name):
                raise ModelConfigError(
                    f"the setting would hold the secret {name}, and settings are shown",
                    code="FF1121",
                    help="use a variable that is no secret",
                )
            known: Mapping[str, Any] = self.environ
        else:
            known = self.vars
        if name in known:
            return known[name]
        if "default" in given:
            return given["default"]
        if asked.function == "env":
            raise ModelConfigError(
                f"the environment variable {name} is not set",
                code="FF1404",
                help="set it, write it into .env, or give env() a default",
            )
        raise ModelConfigError(
            f"the variable {name!r} has no value",
            code="FF1403",
            help=nearest(name, known)
            or f"set it under `vars:` in project.yml, pass --vars {name}=..., or give var() a default",
        )


def asked_in(text: str) -> Asked | None:
    """What a text of YAML asks for, when it is one call and nothing else."""
    call = _CALL.match(text.strip())
    if call is None:
        return None
    from flowforge.project.literals import NotLiteral, parse_arguments

    text = text.strip()
    try:
        arguments = parse_arguments(text, call.end())
    except NotLiteral:
        return None
    if not _END.fullmatch(text, arguments.end):
        return None
    return Asked(call[1], arguments.args, arguments.kwargs)
