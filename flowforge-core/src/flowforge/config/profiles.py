"""``profiles.yml``: which engine a project runs on, and with which settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from flowforge.config.files import read_bytes
from flowforge.config.flaws import LATER_KEY, MISSING_KEY, UNKNOWN_KEY, WRONG_VALUE, found, nearest
from flowforge.config.profile_template import ProfileFile, is_template, read_profile_file
from flowforge.config.secrets import secrets_of
from flowforge.config.settings import read_settings
from flowforge.config.yaml import KeyPath, decode
from flowforge.contract import EngineSpec
from flowforge.errors import ConfigFileError, FlowForgeError, PluginError, Problems, ProfileError
from flowforge.frozen import frozen
from flowforge.plugins.firstparty import FirstParty
from flowforge.values import Location

PROFILES_FILE = "profiles.yml"
FALLBACK = "default"

_LATER = ("artifacts", "vars", "custom_schemas")

Engines = Callable[[str], EngineSpec]


@frozen
class Profile:
    """A profile in use.

    Parameters
    ----------
    name:
        Of the profile in ``profiles.yml``; the environment's name when there is no such file.
    settings:
        An instance of ``engine.settings``. Its secrets are masked in the ``repr``.
    explicit:
        True when the profile stands in ``profiles.yml``, false when there is no such file.
    """

    name: str
    engine: EngineSpec
    settings: Any
    explicit: bool


def load_profile(
    root: Path,
    env: str,
    environ: Mapping[str, str],
    *,
    engine: str | None = None,
    engines: Engines,
    default_engine: Callable[[], EngineSpec],
) -> Profile:
    """The profile called *env*, or ``default`` when there is none of that name.

    Of two values for one setting, a variable ``FF_*`` wins over the file; *engine* wins over ``FF_ENGINE``, and that
    over ``engine:`` in the file.

    Parameters
    ----------
    root:
        The project folder.
    environ:
        See :func:`flowforge.config.environ.layered_environ`.
    engine:
        What the command line says.
    engines:
        Finds an engine by name or alias; raises a :class:`FlowForgeError` for one that is not there.
    default_engine:
        The engine for a project without ``profiles.yml``.

    Raises
    ------
    FlowForgeError
        With everything that is wrong about the profile in use. No message shows the value of a secret.
    """
    try:
        return _load(root, env, environ, engine, engines, default_engine)
    except FlowForgeError as exc:
        raise secrets_of(None, environ).clean(exc) from None


def _load(
    root: Path,
    env: str,
    environ: Mapping[str, str],
    flag: str | None,
    engines: Engines,
    default_engine: Callable[[], EngineSpec],
) -> Profile:
    override = flag or environ.get("FF_ENGINE") or None
    problems = Problems()
    file = _read(root, environ)
    if file is None:
        spec = _overriding(override, flag, engines) if override else default_engine()
        settings = read_settings(spec, None, environ, root=root, locate=lambda path, on_key: None, problems=problems)
        problems.raise_if_any()
        return Profile(env, spec, settings, explicit=False)
    name, at, written = _choose(file, env)
    profile = file.fill(written, at)
    spec = _overriding(override, flag, engines) if override else _own_engine(file, profile, at, engines)
    place, block = _check_blocks(file, profile, at, spec, engines, problems)
    settings = read_settings(
        spec,
        block,
        environ,
        root=root,
        locate=lambda path, on_key: file.locate((*place, *path), key=on_key),
        problems=problems,
    )
    problems.raise_if_any()
    return Profile(name, spec, settings, explicit=True)


def _read(root: Path, environ: Mapping[str, str]) -> ProfileFile | None:
    if not (root / PROFILES_FILE).exists():
        return None
    text = decode(read_bytes(root / PROFILES_FILE, PROFILES_FILE), PROFILES_FILE)
    return read_profile_file(text, PROFILES_FILE, root, environ)


def profile_names(root: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names in ``profiles.yml``, in its order; none without the file. Raises like :func:`load_profile`."""
    file = _read(root, environ)
    return tuple(_profiles(file)[1]) if file is not None else ()


def _overriding(name: str, flag: str | None, engines: Engines) -> EngineSpec:
    try:
        return engines(name)
    except FlowForgeError as exc:
        exc.notes = (*exc.notes, f"the name comes from {'--engine' if flag else 'the variable FF_ENGINE'}")
        raise


def _profiles(file: ProfileFile) -> tuple[KeyPath, dict[str, Any]]:
    """Where the profiles stand, and all of them by name."""
    data = file.doc.data
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigFileError(
            f"the file should be a mapping of profile names, found {found(data)}",
            code=WRONG_VALUE,
            location=file.locate(),
        )
    at: KeyPath = ()
    inner = data.get("profiles")
    if isinstance(inner, dict) and "engine" not in inner:
        if stray := [key for key in data if key != "profiles"]:
            raise ConfigFileError(
                f"unknown key '{stray[0]}' beside 'profiles'",
                code=UNKNOWN_KEY,
                location=file.locate((stray[0],), key=True),
                help="move it under 'profiles:' if it is a profile",
            )
        at, data = ("profiles",), inner
    if strange := [key for key in data if not isinstance(key, str)]:
        raise ConfigFileError(
            f"the profile name {strange[0]} should be a text",
            code=WRONG_VALUE,
            location=file.locate((*at, strange[0]), key=True),
            help="put it in quotes",
        )
    if templates := [key for key in data if is_template(key)]:
        raise ProfileError(
            "the name of a profile cannot be a template",
            code="FF1304",
            location=file.locate((*at, templates[0]), key=True),
            help="write the name out",
        )
    return at, data


def _choose(file: ProfileFile, env: str) -> tuple[str, KeyPath, dict[str, Any]]:
    at, profiles = _profiles(file)
    name = env if env in profiles else FALLBACK
    if name not in profiles:
        listed = ", ".join(f"'{each}'" for each in profiles) or "none"
        raise ProfileError(
            f"there is no profile '{env}'",
            code="FF1302",
            location=Location(PROFILES_FILE),
            help=nearest(env, profiles) or f"add '{env}', or a profile '{FALLBACK}' for every environment without one",
            notes=[f"profiles in this file: {listed}"],
        )
    profile = profiles[name]
    if not isinstance(profile, dict):
        raise ConfigFileError(
            f"the profile '{name}' should be a mapping, found {found(profile)}",
            code=WRONG_VALUE,
            location=file.locate((*at, name), key=profile is None),
            help="it needs at least the key 'engine'",
        )
    return name, (*at, name), profile


def _own_engine(file: ProfileFile, profile: dict[str, Any], at: KeyPath, engines: Engines) -> EngineSpec:
    name = profile.get("engine")
    if "engine" not in profile:
        raise ConfigFileError(
            f"the profile '{at[-1]}' lacks the key 'engine'",
            code=MISSING_KEY,
            location=file.locate(at, key=True),
            help="say on which engine the project runs, such as `engine: NAME`",
        )
    if not isinstance(name, str) or not name:
        raise ConfigFileError(
            f"'engine' should be a text, found {found(name)}",
            code=WRONG_VALUE,
            location=file.locate((*at, "engine")),
        )
    try:
        return engines(str(name))
    except FlowForgeError as exc:
        exc.location = exc.location or file.locate((*at, "engine"))
        raise


def _check_blocks(
    file: ProfileFile, profile: dict[str, Any], at: KeyPath, spec: EngineSpec, engines: Engines, problems: Problems
) -> tuple[KeyPath, Any]:
    """Find the settings of *spec*, and refuse every key of the profile that is no engine's.

    Blocks of other engines may stay, because a flag or variable can switch to them.
    """
    own = (spec.name, *spec.aliases)
    blocks = [key for key in profile if key in own]
    for stray in blocks[1:]:
        problems.add(
            ConfigFileError(
                f"'{stray}' and '{blocks[0]}' are the same engine",
                code=UNKNOWN_KEY,
                location=file.locate((*at, stray), key=True),
                help="join the two blocks",
            )
        )
    for key, value in profile.items():
        if key == "engine" or key in own or _is_engine(key, profile, engines):
            continue
        where = file.locate((*at, key), key=True)
        if key in _LATER:
            if value not in (None, {}, []):
                problems.add(
                    ConfigFileError(
                        f"'{key}' is not supported yet by this version",
                        code=LATER_KEY,
                        location=where,
                        help="remove it for now",
                    )
                )
            continue
        problems.add(
            ConfigFileError(
                f"unknown key '{key}' in the profile '{at[-1]}'",
                code=UNKNOWN_KEY,
                location=where,
                help=_hint(str(key), spec, own),
            )
        )
    if not blocks:
        return at, None
    return (*at, blocks[0]), profile[blocks[0]]


def _is_engine(key: Any, profile: Mapping[str, Any], engines: Engines) -> bool:
    """Could *key* be an engine, installed or not?"""
    if not isinstance(key, str):
        return False
    if key == profile.get("engine") or FirstParty.read().package_of(key) is not None:
        return True
    try:
        engines(key)
    except PluginError:
        return True
    except FlowForgeError:
        return False
    return True


def _hint(key: str, spec: EngineSpec, own: Iterable[str]) -> str | None:
    settings = {
        name
        for field in attrs.fields(spec.settings)
        for name in (field.alias or field.name, *field.metadata.get("aliases", ()))
    }
    if key in settings:
        return f"settings stand under the engine's name: write it under '{spec.name}:'"
    return nearest(key, {"engine", *own, *FirstParty.read().words}) or (
        f"a profile has the key 'engine' and one mapping per engine, such as '{spec.name}:'"
    )
