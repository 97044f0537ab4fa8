"""The file that ``flowforge compile --manifest`` writes: a project's state, to be compared with later.

JSON with a version and a checksum. It holds compiled SQL and no secret.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import attrs

from flowforge.api.described import NodeState, ProjectState
from flowforge.errors import StateError

FORMAT = "flowforge-manifest"
VERSION = 1
NAME = "manifest.json"
"""What the file is called where only a folder is named."""


def write_manifest(path: Path, state: ProjectState) -> Path:
    """Write *state* to a file, or to ``manifest.json`` in a folder; what stands there is replaced at once or not at all.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    path = manifest_path(path)
    content: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "project": state.project,
        "engine": state.engine,
        "nodes": {name: attrs.asdict(node) for name, node in sorted(state.nodes.items())},
    }
    if state.contracts is not None:
        content["contracts"] = dict(state.contracts)
    content["checksum"] = _checksum(content)
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with new.open("x", encoding="utf-8") as file:  # readable by whom the user's other files are, unlike mkstemp's
            file.write(text)
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    return path


def read_manifest(path: Path) -> ProjectState:
    """Read what :func:`write_manifest` wrote; of a folder its ``manifest.json``.

    Raises
    ------
    StateError
        ``FF2341`` when the file is missing, damaged, of another kind, or of a newer version.
    """
    path = manifest_path(path)
    again = "write it anew: `flowforge compile --manifest FILE`"
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise StateError(
            f"the manifest {str(path)!r} cannot be read: {error.strerror or error}", code="FF2341", help=again
        ) from error
    except (ValueError, RecursionError) as error:
        raise StateError(f"{str(path)!r} is no JSON file, or was cut", code="FF2341", help=again) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise StateError(f"{str(path)!r} is no manifest of FlowForge", code="FF2341", help=again)
    version = content.get("version")
    if version != VERSION:
        raise StateError(
            f"{str(path)!r} is a manifest of version {version!r}, and this FlowForge reads version {VERSION}",
            code="FF2341",
            help="use the FlowForge that wrote it, or " + again,
        )
    if content.pop("checksum", None) != _checksum(content):
        raise StateError(f"{str(path)!r} was changed or damaged: its checksum is wrong", code="FF2341", help=again)
    try:
        nodes = {
            name: NodeState(**{**node, "depends_on": tuple(node["depends_on"])})
            for name, node in content["nodes"].items()
        }
        return ProjectState(content["project"], content["engine"], nodes, content.get("contracts"))
    except (KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{str(path)!r} lacks what a manifest needs", code="FF2341", help=again) from error


def manifest_path(path: Path) -> Path:
    """The file that is meant by *path*, which may be a folder."""
    return path / NAME if path.is_dir() else path


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
