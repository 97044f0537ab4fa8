"""The sandbox in which templates run: what they may touch, and how much they may do.

A template may read the values it is given, call the functions it is given, and use plain operations on texts,
numbers and containers. It may not reach anything behind those: what is not known to be harmless is refused, with an
error and not with an undefined value, so that no test for definedness can probe. Loops, calls and sizes are counted
by a :class:`~flowforge.rendering.limits.Budget`; the counting is woven into the tree by
:func:`flowforge.rendering.weave.harden`.

One environment belongs to one rendering, so models and threads share nothing.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import StrictUndefined, Undefined, UndefinedError, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Cycler, Joiner, Namespace, missing

from flowforge.project.jinja_source import EXTENSIONS, OffsetEnvironment
from flowforge.rendering.filters import guarded_filters
from flowforge.rendering.limits import (
    ITEM,
    MAX_FILTER_INPUT,
    MAX_NUMBER,
    MAX_RANGE,
    MAX_TEXT,
    Budget,
    TooExpensive,
    check_join,
    check_operator,
    check_replace,
    check_spec,
    check_width,
    size,
    to_text,
)

_OPAQUE = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodWrapperType,
    types.WrapperDescriptorType,
    types.MethodDescriptorType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.CodeType,
    types.FrameType,
    types.TracebackType,
    types.ModuleType,
    functools.partial,
    type,
)
"""Values whose attributes are Python's business only."""

_TEXT_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "count",
        "endswith",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isascii",
        "isdecimal",
        "isdigit",
        "islower",
        "isnumeric",
        "isspace",
        "istitle",
        "isupper",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "rfind",
        "rindex",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
        "center",
        "expandtabs",
        "format",
        "format_map",
        "join",
        "ljust",
        "replace",
        "rjust",
        "zfill",
    ]
)
_METHODS: Sequence[tuple[type, frozenset[str]]] = (
    (str, _TEXT_METHODS),
    (dict, frozenset({"copy", "get", "items", "keys", "values"})),
    (list, frozenset({"copy", "count", "index"})),
    (tuple, frozenset({"count", "index", "grouper", "list"})),
    (bytes, frozenset()),
    (int, frozenset()),
    (float, frozenset({"is_integer"})),
    (set, frozenset()),
    (range, frozenset()),
)
"""What may be called on built-in values; everything else of them is refused."""

_METHOD_CHECKS: Mapping[str, Callable[..., None]] = {
    "center": lambda text, width, *fill: check_width(width),
    "expandtabs": lambda text, tabsize=8: check_replace(text, "\t", " " * _width(tabsize)),
    "join": lambda text, items: check_join(text, items),
    "ljust": lambda text, width, *fill: check_width(width),
    "replace": lambda text, old, new, *count: check_replace(text, old, new),
    "rjust": lambda text, width, *fill: check_width(width),
    "zfill": lambda text, width: check_width(width),
}


def _width(number: int) -> int:
    check_width(number)
    return number


class UndefinedName(UndefinedError):
    """A template uses a name that nobody defined, or a part that a value does not have."""

    def __init__(self, name: object, owner: object, message: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        self.owner = owner
        """The value that lacks the part; ``missing`` for a name."""

    @property
    def is_name(self) -> bool:
        """True for a name, False for a part of a value."""
        return self.owner is missing


class TemplateUndefined(StrictUndefined):
    """An undefined value that says its name when it is used."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: str | None = None, exc: Any = UndefinedError
    ) -> None:
        super().__init__(hint, obj, name, functools.partial(UndefinedName, name, obj))  # type: ignore[arg-type]


class TemplateNamespace(Namespace):
    """``namespace()``, which may hold itself and so is never written out."""

    def __repr__(self) -> str:
        return "namespace()"


class _Formatter(SandboxedFormatter):
    """``str.format`` inside the sandbox's limits."""

    def __init__(self, environment: SqlEnvironment) -> None:
        super().__init__(environment)
        self._budget = environment.budget

    def format_field(self, value: Any, format_spec: str) -> Any:
        check_spec(format_spec)
        size(value, MAX_FILTER_INPUT)
        return self._budget.take(super().format_field(value, format_spec))

    def convert_field(self, value: Any, conversion: Any) -> Any:
        size(value, MAX_FILTER_INPUT)
        return super().convert_field(value, conversion)


@pass_context
def written(context: Context, value: Any) -> str:
    """What ``{{ value }}`` writes. It takes the context so that Jinja calls it at run time only."""
    environment = context.environment
    assert isinstance(environment, SqlEnvironment)
    text = str(value) if isinstance(value, Undefined) else to_text(value)  # an undefined value raises, with its name
    environment.budget.spend(len(text) + ITEM)
    return text


class SqlEnvironment(OffsetEnvironment, ImmutableSandboxedEnvironment):
    """The sandbox. One rendering, one thread.

    Everything that a template must not do raises ``jinja2.exceptions.SecurityError``; everything that is too much
    raises :class:`~flowforge.rendering.limits.TooExpensive`.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, budget: Budget) -> None:
        super().__init__(
            undefined=TemplateUndefined,
            extensions=list(EXTENSIONS),
            keep_trailing_newline=True,
            optimized=False,
            finalize=written,
            autoescape=False,
            cache_size=0,
        )
        self.budget = budget
        self.filters = guarded_filters(budget)
        self.globals = {
            "range": _range,
            "dict": lambda *args, **kwargs: dict(*args, **kwargs),
            "namespace": lambda *args, **kwargs: TemplateNamespace(*args, **kwargs),
            "cycler": lambda *args: Cycler(*args),
            "joiner": lambda sep=", ": Joiner(sep),
        }
        # The woven calls are told from the template's own by identity, so each must be one object.
        self.ff_step = budget.step
        self.ff_take = budget.take
        self.ff_concat = self._concat
        self._woven = (self.ff_step, self.ff_take, self.ff_concat)

    # what may be touched

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An attribute, else an item; called for ``obj.attribute``."""
        self._admit(obj, attribute)
        if isinstance(obj, dict) and attribute in obj and attribute not in _METHODS[1][1]:
            return obj[attribute]
        return self._attribute(obj, attribute, lambda: obj[attribute])

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item, else an attribute; called for ``obj[argument]``."""
        if isinstance(obj, _OPAQUE):
            self._refuse(obj, argument)
        try:
            return obj[argument]
        except (AttributeError, TypeError, LookupError):
            if not isinstance(argument, str):
                return self.undefined(obj=obj, name=argument)
        self._admit(obj, argument)
        return self._attribute(obj, argument, None)

    def _attribute(self, obj: Any, name: str, item: Callable[[], Any] | None) -> Any:
        try:
            value = getattr(obj, name)
        except AttributeError:
            if item is not None:
                try:
                    return item()
                except (AttributeError, TypeError, LookupError):
                    pass  # neither attribute nor item: undefined
            return self.undefined(obj=obj, name=name)
        for kind, methods in _METHODS:
            if isinstance(obj, kind):
                if name not in methods:
                    self._refuse(obj, name)
                return self._text_method(obj, name) if isinstance(obj, str) else value
        return value

    def _admit(self, obj: Any, name: str) -> None:
        if name.startswith("_") or isinstance(obj, _OPAQUE):
            self._refuse(obj, name)

    def _refuse(self, obj: Any, name: object) -> None:
        raise SecurityError(f"{name!r} of a {type(obj).__name__}")

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Kept in step with :meth:`getattr` for the parts of Jinja that ask here."""
        return not (attr.startswith("_") or isinstance(obj, _OPAQUE))

    def is_safe_callable(self, obj: Any) -> bool:
        """Classes would be a way to make anything."""
        return not isinstance(obj, type) and super().is_safe_callable(obj)

    # how much may be done

    def _text_method(self, text: str, name: str) -> Callable[..., Any]:
        if name in ("format", "format_map"):
            formatter = _Formatter(self)

            def format_text(*args: Any, **kwargs: Any) -> str:
                size(text, MAX_FILTER_INPUT)
                if name == "format_map":
                    (kwargs,) = args
                    args = ()
                return formatter.vformat(text, args, kwargs)

            return format_text
        method = getattr(text, name)
        check = _METHOD_CHECKS.get(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            size((text, args, kwargs), MAX_FILTER_INPUT)
            if name == "join" and args:
                args = (list(args[0]), *args[1:])
            if check is not None:
                check(text, *args, **kwargs)
            return method(*args, **kwargs)

        return call

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """Call something for a template."""
        if any(__obj is woven for woven in __self._woven):
            return __obj(*args)
        __self.budget.step()
        if not isinstance(__obj, Macro):
            return __self.budget.take(super().call(__context, __obj, *args, **kwargs))
        __self.budget.enter()
        try:
            return __self.budget.take(super().call(__context, __obj, *args, **kwargs))
        finally:
            __self.budget.leave()

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operator that could make something large."""
        check_operator(operator, left, right)
        return self.budget.take(super().call_binop(context, operator, left, right))

    def _concat(self, *parts: Any) -> str:
        text = []
        for part in parts:
            size(part, MAX_TEXT)
            text.append(self.budget.take(str(part)))
        size(text, MAX_TEXT)
        return "".join(text)


def _range(*args: Any) -> range:
    if any(isinstance(arg, int) and abs(arg) > MAX_NUMBER for arg in args):
        raise TooExpensive("a range is too long")
    numbers = range(*args)
    if len(numbers) > MAX_RANGE:
        raise TooExpensive(f"a range is longer than {MAX_RANGE:,} numbers")
    return numbers
