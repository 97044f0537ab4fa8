"""The Python API of FlowForge. ``Project`` is all that most programs need."""

from flowforge.api.project import Project as Project

__all__ = ["Project"]
