"""What a project stands on: what is installed, its profile, and the engine, opened when it is first needed."""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from flowforge.errors import EngineError, ErrorKind

if TYPE_CHECKING:
    from flowforge.config.profiles import Profile
    from flowforge.config.secrets import Redactor
    from flowforge.contract import EngineSpec, Executor, Session
    from flowforge.plugins import PluginSet


class Connected:
    """A project's folder under one profile. It keeps its engine open until :meth:`close`, or the end of a ``with``."""

    def __init__(
        self,
        root: Path,
        env: str,
        *,
        environ: Mapping[str, str],
        engine: str | None,
        plugins: Callable[[], PluginSet],
    ) -> None:
        self.root = root
        self.env = env
        self.environ = environ
        self.given_engine = engine
        self._plugins = plugins
        self._executor: Executor | None = None
        self._closer: weakref.finalize[Any, Any] | None = None

    @property
    def plugins(self) -> PluginSet:
        """What is installed."""
        return self._plugins()

    @functools.cached_property
    def profile(self) -> Profile:
        """The engine and its settings.

        Raises
        ------
        ProfileError
            When there is no such profile, it is incomplete, or its engine is not installed.
        """
        from flowforge.config.profiles import load_profile

        return load_profile(
            self.root,
            self.env,
            self.environ,
            engine=self.given_engine,
            engines=lambda name: self.plugins.engine(name),
            default_engine=lambda: self.plugins.default_engine(),
        )

    @property
    def engine(self) -> EngineSpec:
        """The profile's engine."""
        return self.profile.engine

    @functools.cached_property
    def redactor(self) -> Redactor:
        """Masks the secrets of the profile and the environment."""
        from flowforge.config.secrets import secrets_of

        return secrets_of(self.profile, self.environ)

    @property
    def executor(self) -> Executor:
        """The open engine; opened now when it is not.

        Raises
        ------
        EngineError
            When it cannot be reached; names the profile, never a secret.
        """
        return self._executor if self._executor is not None else self._open(self.profile.settings)

    def _open(self, settings: Any) -> Executor:
        make = _driver_of(self.engine)
        try:
            self._executor = executor = make(settings)
        except EngineError as error:
            clean = self.redactor.clean(error)  # the driver's own words may hold what was masked
            clean.notes = (*clean.notes, f"the profile is {self.profile.name}, its engine {self.engine.name}")
            raise clean from None
        self._closer = weakref.finalize(self, executor.close)
        return executor

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """While the block runs, a database that does not exist yet is not made by looking into it."""
        stand_in = self.engine.stand_in
        if self._executor is not None or stand_in is None:
            yield
            return
        import tempfile

        with tempfile.TemporaryDirectory(prefix="flowforge-") as folder:
            settings = stand_in(self.profile.settings, Path(folder))
            if settings is None:
                yield
                return
            self._open(settings)
            try:
                yield
            finally:
                self.close()

    @contextlib.contextmanager
    def session(self, label: str) -> Iterator[Session]:
        """A session on the engine, for the block.

        Parameters
        ----------
        label:
            What the database shows as the client's name.

        Raises
        ------
        EngineError
            For whatever the driver raises, also inside the block; without a secret in its texts.
        """
        executor = self.executor
        try:
            with executor.session(label=label) as session:
                yield session
        except Exception as problem:
            error = problem if isinstance(problem, EngineError) else executor.error(problem)
            if error is None:
                raise
            raise self.redactor.clean(error) from (problem if error is not problem else problem.__cause__)

    def close(self) -> None:
        """Close the engine, if it is open."""
        if self._closer is not None:
            self._closer()
        self._executor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _driver_of(engine: EngineSpec) -> Callable[[Any], Executor]:
    """What makes the engine's executor.

    Raises
    ------
    EngineError
        When a package that it needs is not installed.
    """
    try:
        return engine.load()
    except ImportError as error:
        from flowforge.plugins.firstparty import FirstParty

        package = FirstParty.read().package_of(engine.name)
        raise EngineError(
            f"the engine {engine.name!r} needs a package that is not installed here: {error}",
            kind=ErrorKind.UNSUPPORTED,
            code="FF2130",
            help=f"pip install --upgrade --force-reinstall {package.distribution}" if package else "install it",
        ) from None
