"""Calls the function of a Python model with its inputs, and blames the right line when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flowforge.contract import Dialect, Session
from flowforge.errors import FlowForgeError, ModelExecutionError, RequiredColumnsError
from flowforge.materialize.frames import read_frame
from flowforge.project.manifest import Node, PythonBody
from flowforge.run.blame import called_from, exception_text, project_frames
from flowforge.run.modules import ProjectModules
from flowforge.values import Location, Relation

Inputs = Mapping[str, tuple[Relation, str]]
"""By node name: the relation that an input is, and the query that reads it."""


def call_model(
    node: Node, root: Path, modules: ProjectModules, session: Session, dialect: Dialect, inputs: Inputs
) -> Any:
    """Run the function of *node* and return what it returns. On a worker's thread.

    Raises
    ------
    RequiredColumnsError
        When an input lacks columns that the model requires.
    ModelExecutionError
        When the file or the function raises, or exits; with the line in the project's own files.
    """
    body = node.body
    assert isinstance(body, PythonBody)
    frames = {}
    for name, (relation, select) in inputs.items():
        _check_required(node, body, name, (relation, select), session, dialect)
        frames[name] = read_frame(session, relation, select, node.config.frame, dialect.fold)
    function = _guarded(node, root, lambda: modules.function(node.path, body.function))
    if body.variadic or len(body.parameters) >= len(frames) != 1 or len(frames) == 0:
        positional = list(frames.values())
        return _guarded(node, root, lambda: function(*positional))
    if len(frames) == 1:
        (frame,) = frames.values()
        return _guarded(node, root, lambda: function(frame))
    by_relation = {inputs[name][0].name: frame for name, frame in frames.items()}
    return _guarded(node, root, lambda: function(by_relation))


def _check_required(
    node: Node, body: PythonBody, name: str, input_: tuple[Relation, str], session: Session, dialect: Dialect
) -> None:
    short, (relation, select) = name.removesuffix(".ff"), input_
    required = body.requires.get(short) or body.requires.get(relation.name)
    if not required:
        return
    schema = session.schema_of(select)  # not the relation: an ephemeral model has none
    standing = {dialect.fold(column) for column in schema.names} if schema is not None else set()
    missing = [column for column in required if dialect.fold(column) not in standing]
    if missing:
        columns = ", ".join(schema.names) if schema is not None else "none"
        raise RequiredColumnsError(
            f"the input {short!r} lacks the required column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            node=node.name,
            relation=str(relation),
            location=Location(node.path, body.line),
            notes=[f"it has: {columns}"],
            help=f"add the columns to {short!r}, or drop them from `requires`",
        )


def _guarded(node: Node, root: Path, step: Callable[[], Any]) -> Any:
    try:
        return step()
    except FlowForgeError:
        raise
    except BaseException as error:  # SystemExit too: a model must not end the program
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise  # a user's; on a worker's thread only the model can have raised it
        raise blame(node, root, error) from error


def blame(node: Node, root: Path, error: BaseException) -> ModelExecutionError:
    """What the code of *node* raised, with the line in the project's own files that did."""
    frames = project_frames(root, error)
    location = Location(frames[-1][0], frames[-1][1]) if frames else Location(node.path)
    help = None
    if isinstance(error, KeyError):
        help = "frames arrive with the columns of their relation, several inputs as a dict by relation name"
    if isinstance(error, ModuleNotFoundError):
        help = "install the package into this environment; import a neighbouring file with `from .name import ...`"
    return ModelExecutionError(
        exception_text(error, "the model"),
        node=node.name,
        code="FF2004",
        location=location,
        notes=called_from(frames),
        help=help,
    )
