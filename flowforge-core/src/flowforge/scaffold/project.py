"""Writes the files of a new project, which builds at once and needs no credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import attrs

from flowforge.api.schemas import FOLDER
from flowforge.contract import EngineSpec
from flowforge.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DOT = "dot_"  # template files whose name begins so get a real dot: packaging tools drop hidden files


def render_project(target: Path, *, name: str | None, engine: EngineSpec) -> list[Path]:
    """Write a new project into *target*, which must not exist or be empty, and return the paths of its files.

    Parameters
    ----------
    name:
        The project's name; made out of the folder's when it is left out.
    engine:
        What the profile ``dev`` uses.

    Raises
    ------
    UsageError
        When the folder is in use, or the name is no name.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(
            f"{str(target)!r} exists and is not empty", code="FF6411", help="give the name of a new folder"
        )
    project = name or re.sub(r"[^a-z0-9_]+", "_", target.resolve().name.lower()).strip("_")
    if not _NAME.fullmatch(project):
        raise UsageError(
            f"{project!r} is no name for a project",
            code="FF6412",
            help="use small letters, digits and _, beginning with a letter: --name my_project",
        )
    written = []
    for relative, template in _templates(files("flowforge.scaffold").joinpath("project_files"), Path()):
        path = target / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        text = template.read_text("utf-8").replace("@NAME@", project)
        path.write_text(f"{_modeline(relative)}{text}", "utf-8")
        written.append(path)
    profile = target / "profiles.yml"
    profile.write_text(f"{_modeline(Path(profile.name))}{_profile(project, engine)}", "utf-8")
    return sorted([*written, profile])


def _modeline(relative: Path) -> str:
    """The first line of a YAML file, by which editors find the schema of it."""
    if relative.suffix != ".yml":
        return ""
    kind = "seeds" if relative.parts[0] == "seeds" else "models" if len(relative.parts) > 1 else relative.stem
    up = "../" * (len(relative.parts) - 1)
    return f"# yaml-language-server: $schema={up}{FOLDER}/{kind}.schema.json\n"


def _templates(folder: Traversable, prefix: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        name = f".{entry.name.removeprefix(_DOT)}" if entry.name.startswith(_DOT) else entry.name
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _templates(entry, prefix / name)
        else:
            yield prefix / name.removesuffix(".txt"), entry


def _profile(project: str, engine: EngineSpec) -> str:
    """The text of ``profiles.yml``: what the engine's settings class needs, the rest as comments."""
    lines = [
        "# Where the tables go. `--env NAME` picks a profile; `dev` is the default.",
        "# A variable of the environment (its name stands behind each setting) wins over this file.",
        "dev:",
        f"  engine: {engine.name}",
        f"  {engine.name}:",
    ]
    written = 0
    for field in attrs.fields(engine.settings):
        meta = field.metadata
        note = f"  # {meta['help']}" if meta.get("help") else ""
        variable = f" [{meta['env']}]" if meta.get("env") else ""
        if meta.get("path"):
            lines.append(f"    {field.name}: .local/{project}.{engine.name}{note}{variable}")
            written += 1
        elif field.default is attrs.NOTHING:
            value = f"\"{{{{ env('{meta['env']}') }}}}\"" if meta.get("env") else '""'
            lines.append(f"    {field.name}: {value}{note}{variable}")
            written += 1
        elif not meta.get("secret"):
            lines.append(f"    # {field.name}:{note}{variable}")
    if not written:
        lines[4] = f"  {engine.name}: {{}}"
    return "\n".join(lines) + "\n"
