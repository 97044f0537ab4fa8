"""The template language of ``profiles.yml``: ``env(name, default)`` and ``project_dir()``, and little more.

What an expression puts out goes into the file as a token, and its value is put in only after the YAML was read. So a
password may hold any character, no value can change the structure of the file, no secret can get into a message about
YAML, and a variable that is missing matters only where the profile in use needs it.

There are no loops, assignments, attributes or imports: nothing that could run long or reach out of the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from flowforge.config.yaml import KeyPath, YamlDocument, parse_yaml
from flowforge.config.yaml_places import LINE_BREAK
from flowforge.errors import ProfileError
from flowforge.frozen import frozen
from flowforge.values import Location

_MARKS = ("{{", "{%", "{#")
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"  # private use: no file has a reason to hold them
_TOKEN = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_ALLOWED_NODES = frozenset(
    {
        *("Template", "Output", "TemplateData", "If", "Name", "Const", "Call", "Keyword", "Filter", "Test"),
        *("Compare", "Operand", "And", "Or", "Not", "Concat", "CondExpr", "List", "Tuple"),
    }
)
_ALLOWED_NAMES = frozenset({"env", "project_dir"})
_ALLOWED_FILTERS = frozenset({"default", "d", "lower", "upper", "trim", "string", "int", "urlencode"})
_ALLOWED_TESTS = frozenset({"defined", "none", "equalto", "eq", "ne", "in"})


class Rendered(str):
    """A text that came out of an expression, so that ``"5432"`` may become a number where one is expected."""

    __slots__ = ()


@frozen
class _MissingVariable:
    name: str


@frozen
class ProfileFile:
    """``profiles.yml`` after its templates, with the values still apart."""

    doc: YamlDocument
    _lines: tuple[str, ...] | None = attrs.field(repr=False, default=())
    _values: tuple[str | _MissingVariable, ...] = attrs.field(repr=False, default=())

    def fill(self, data: Any, at: KeyPath) -> Any:
        """*data* with the values in place of their tokens.

        Parameters
        ----------
        at:
            Where *data* stands in the file.

        Raises
        ------
        ProfileError
            When a variable is missing: with its name and place.
        """
        if not self._values:
            return data
        if isinstance(data, dict):
            return {
                self._text(key, (*at, key)) if isinstance(key, str) else key: self.fill(value, (*at, key))
                for key, value in data.items()
            }
        if isinstance(data, list):
            return [self.fill(item, (*at, index)) for index, item in enumerate(data)]
        return self._text(data, at) if isinstance(data, str) else data

    def _text(self, text: str, at: KeyPath) -> str:
        if _OPEN not in text:
            return text

        def value(match: re.Match[str]) -> str:
            found = self._values[int(match[1])]
            if isinstance(found, _MissingVariable):
                raise ProfileError(
                    f"the environment variable {found.name} is not set",
                    code="FF1305",
                    location=self.locate(at),
                    help=f"set it, or give a default: env('{found.name}', 'value')",
                )
            return found

        return Rendered(_TOKEN.sub(value, text))

    def locate(self, path: KeyPath = (), *, key: bool = False) -> Location:
        """A place in the file as the user wrote it."""
        where = self.doc.locate(path, key=key)
        if self._lines is None:
            return Location(where.path)
        if not self._lines or where.line is None or where.column is None:
            return where
        line = self._lines[where.line - 1] if where.line <= len(self._lines) else ""
        starts = [line.find(mark) for mark in _MARKS if mark in line]
        # Behind an expression the columns of the rendered text are not those of the file.
        if starts and where.column > min(starts) + 1:
            return attrs.evolve(where, column=min(starts) + 1, length=2)
        return where


def is_template(text: str) -> bool:
    """Does *text* hold a value that is still apart?"""
    return _OPEN in text


def read_profile_file(text: str, path: str, root: Path, environ: Mapping[str, str]) -> ProfileFile:
    """Render and parse ``profiles.yml``.

    Parameters
    ----------
    text:
        The file's contents.
    root:
        What ``project_dir()`` gives.

    Raises
    ------
    ProfileError
        For a template that is wrong, or does something that is not allowed here.
    ConfigFileError
        For YAML that is wrong.
    """
    if not any(mark in text for mark in _MARKS):
        return ProfileFile(parse_yaml(text, path))
    if _OPEN in text or _CLOSE in text:
        raise ProfileError(
            "a character of the private use area stands in this file", code="FF1304", location=Location(path)
        )
    values: list[str | _MissingVariable] = []
    rendered = _render(text, path, root, environ, values)
    lines = tuple(LINE_BREAK.split(text))
    doc = parse_yaml(rendered, path)
    # Comments and blocks that span lines move everything below them; a wrong line is worse than none.
    moved = len(LINE_BREAK.split(rendered)) != len(lines)
    return ProfileFile(doc, None if moved else lines, tuple(values))


def _render(text: str, path: str, root: Path, environ: Mapping[str, str], values: list[str | _MissingVariable]) -> str:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class MissingUndefined(jinja2.StrictUndefined):
        """A variable of the environment that is not set; fails when it is looked at, not when it is put out."""

    def env(name: str, default: Any = None) -> Any:
        if not isinstance(name, str):
            raise jinja2.TemplateRuntimeError("env() takes the name of a variable as a text")
        if name in environ:
            return environ[name]
        if default is not None:
            return default
        return MissingUndefined(hint=f"the environment variable {name} is not set", name=name)

    def token(value: Any) -> str:
        if isinstance(value, MissingUndefined):
            values.append(_MissingVariable(value._undefined_name or ""))
        elif value is None or isinstance(value, jinja2.Undefined):
            values.append(str(value) if value is not None else "")
        else:
            values.append(str(value).lower() if isinstance(value, bool) else str(value))
        return f"{_OPEN}{len(values) - 1}{_CLOSE}"

    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, finalize=token, keep_trailing_newline=True, optimized=False, autoescape=False
    )
    environment.globals = {"env": env, "project_dir": lambda: str(root)}

    def where(line: int | None) -> Location:
        return Location(path, line)

    try:
        _check(environment.parse(text), where)
        return environment.from_string(text).render()
    except jinja2.TemplateSyntaxError as exc:
        raise ProfileError(
            f"the template cannot be read: {exc.message}", code="FF1304", location=where(exc.lineno)
        ) from None
    except jinja2.exceptions.SecurityError as exc:
        raise _not_allowed("this", where(_template_line(exc))) from None
    except RecursionError:
        raise _not_allowed("an expression this deep", where(None)) from None
    except jinja2.UndefinedError as exc:
        line = _template_line(exc)
        raise ProfileError(
            str(exc), code="FF1305", location=where(line), help="give a default: env('NAME', 'value')"
        ) from None
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as exc:
        raise ProfileError(f"the template fails: {exc}", code="FF1304", location=where(_template_line(exc))) from None


def _check(tree: Any, where: Callable[[int | None], Location]) -> None:
    """Refuse every node that is not known to be harmless."""
    from jinja2 import nodes

    for node in tree.find_all(nodes.Node):
        kind = type(node).__name__
        place = where(node.lineno)
        if kind not in _ALLOWED_NODES:
            raise _not_allowed(f"'{kind.lower()}'", place)
        if isinstance(node, nodes.Name) and node.name not in _ALLOWED_NAMES:
            raise ProfileError(
                f"'{node.name}' is unknown here", code="FF1304", location=place, help="use env() or project_dir()"
            )
        if isinstance(node, nodes.Filter) and node.name not in _ALLOWED_FILTERS:
            raise _not_allowed(f"the filter '{node.name}'", place)
        if isinstance(node, nodes.Test) and node.name not in _ALLOWED_TESTS:
            raise _not_allowed(f"the test '{node.name}'", place)
        if isinstance(node, nodes.Call) and not isinstance(node.node, nodes.Name):
            raise _not_allowed("calling this", place)


def _not_allowed(what: str, place: Location) -> ProfileError:
    return ProfileError(
        f"{what} is not allowed in templates of profiles.yml",
        code="FF1304",
        location=place,
        help="use env('NAME', 'default'), project_dir(), conditions and simple filters",
    )


def _template_line(exc: BaseException) -> int | None:
    """The template's line: jinja rewrites the traceback so that its last frame inside the template has it."""
    line = None
    trace = exc.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
