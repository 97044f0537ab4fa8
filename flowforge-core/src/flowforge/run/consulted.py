"""What a rendering looked at beside its own text and the relations that it reads: variables, environment, macros.

Who knows that has the whole of what a rendering depends on: a template can do nothing but read the values that it is
given and call the functions that it is given (see :mod:`flowforge.rendering.environment`). What asks further, such as
``run_query`` and functions of a project's or a plugin's own, makes it one of which nobody knows that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from flowforge.frozen import frozen
from flowforge.project.macros import MacroFile
from flowforge.project.manifest import SqlBody

ASKING = ("run_query", "execute")
"""Names in templates whose values are the database's affair."""


@frozen
class Consulted:
    """What one rendering looked at.

    Parameters
    ----------
    vars, envs:
        Names of variables of the project and of the environment, whether they have a value or not.
    macros:
        Paths of macro files.
    refs:
        Names that ``ref`` was called with, where not all calls can be told from the text.
    complete:
        There was nothing else.
    """

    vars: frozenset[str] = frozenset()
    envs: frozenset[str] = frozenset()
    macros: frozenset[str] = frozenset()
    refs: frozenset[str] = frozenset()
    complete: bool = True

    def with_all(self, others: Iterable[Consulted]) -> Consulted:
        """What all of them looked at."""
        found = self
        for one in others:
            if one is not NOTHING_CONSULTED:
                found = Consulted(
                    found.vars | one.vars,
                    found.envs | one.envs,
                    found.macros | one.macros,
                    found.refs | one.refs,
                    found.complete and one.complete,
                )
        return found


NOTHING_CONSULTED = Consulted()


class Consulting:
    """Takes note of what one rendering looks at. One thread.

    Parameters
    ----------
    ref, var, env:
        What templates call.
    """

    def __init__(self, ref: Callable[[str], str], var: Callable[..., Any], env: Callable[..., Any]) -> None:
        self._ref = ref
        self._var = var
        self._env = env
        self._refs: set[str] = set()
        self._vars: set[str] = set()
        self._envs: set[str] = set()
        self._complete = True

    def ref(self, name: str) -> str:
        """The relation of a model."""
        self._refs.add(name)
        return self._ref(name)

    def var(self, name: str, *default: Any, **named: Any) -> Any:
        """The value of a variable."""
        return self._asked(self._vars, name, self._var(name, *default, **named))

    def env(self, name: str, *default: Any, **named: Any) -> Any:
        """The value of a variable of the environment."""
        return self._asked(self._envs, name, self._env(name, *default, **named))

    def _asked(self, names: set[str], name: object, value: Any) -> Any:
        if isinstance(name, str):
            names.add(name)
        else:
            self._complete = False
        return value

    def told(self, body: SqlBody, macros: Collection[MacroFile], others: Collection[str]) -> Consulted:
        """What was looked at, now that *body* is rendered.

        Parameters
        ----------
        macros:
            The macro files that it mentions.
        others:
            Names of functions that look further, of which nobody takes note.
        """
        complete = self._complete
        if complete and not body.simple:
            texts = (body.template, *(file.text for file in macros))
            complete = not any(name in text for name in (*ASKING, *others) for text in texts)
        refs = frozenset() if body.simple else frozenset(self._refs)
        if complete and not (self._vars or self._envs or refs or macros):
            return NOTHING_CONSULTED
        paths = frozenset(file.path for file in macros)
        return Consulted(frozenset(self._vars), frozenset(self._envs), paths, refs, complete)
