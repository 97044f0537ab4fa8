"""Frozen attrs classes whose creation costs half: :func:`frozen` stands for ``attrs.frozen`` in the core.

attrs writes and compiles ``__init__``, ``__eq__``, ``__hash__`` and ``__repr__`` for each class whenever it is imported,
and the core has hundreds of classes, of which a command compares and shows few. Here only ``__init__`` is compiled; the
others are made of one function each. Knows nothing but attrs.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import attrs


def _frozen(maybe_cls: type | None = None, *, kw_only: bool = False, slots: bool = True) -> Any:
    """What ``attrs.frozen`` does, for classes whose fields say no more of comparing than ``eq=False``.

    Values are equal when their classes are the same and their fields are, compared as the members of tuples are: what is
    the same object is equal. As with attrs, methods that the class writes itself stay.

    Raises
    ------
    TypeError
        A field has ``eq=`` with a function, or ``hash=``; such a class takes ``attrs.frozen``.
    """

    def make(cls: type) -> type:
        made: Any = attrs.frozen(cls, eq=False, repr=False, kw_only=kw_only, slots=slots)
        own = cls.__dict__
        if "__eq__" not in own:
            values_of = _values_of(attrs.fields(made))
            made.__eq__ = _equal(values_of)
            if "__hash__" not in own:
                made.__hash__ = _hashed(values_of)
        if "__repr__" not in own:
            made.__repr__ = _shown
        return made  # type: ignore[no-any-return]

    return make if maybe_cls is None else make(maybe_cls)


def _values_of(fields: tuple[Any, ...]) -> Callable[[object], tuple[object, ...]]:
    """What finds the compared values of an object."""
    if any(field.eq_key is not None or field.hash is not None for field in fields):
        raise TypeError("flowforge.frozen knows no eq= with a function and no hash=; take attrs.frozen")
    names = [field.name for field in fields if field.eq]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _equal(values_of: Callable[[object], tuple[object, ...]]) -> Callable[[object, object], Any]:
    def equal(self: object, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values_of(self) == values_of(other)

    return equal


def _hashed(values_of: Callable[[object], tuple[object, ...]]) -> Callable[[object], int]:
    def hashed(self: object) -> int:
        return hash(values_of(self))

    return hashed


@reprlib.recursive_repr("...")
def _shown(self: Any) -> str:
    """The class and its fields, as attrs writes them; ``...`` for a value within itself."""
    shown = [
        f"{field.name}={(repr if field.repr is True else field.repr)(getattr(self, field.name, attrs.NOTHING))}"
        for field in attrs.fields(type(self))
        if field.repr is not False
    ]
    return f"{type(self).__qualname__.rsplit('>.', 1)[-1]}({', '.join(shown)})"


if TYPE_CHECKING:
    from attrs import frozen as frozen  # for the checker's knowledge of attrs
else:
    frozen = _frozen
