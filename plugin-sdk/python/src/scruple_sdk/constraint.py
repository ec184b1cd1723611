"""A constraint: what it is and asks for, its settings, and its method."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar, get_args

from .operation import Action, Operation
from .settings import NoSettings, Problem, read, schema
from .verdict import Verdict

S = TypeVar("S")


class Constraint(Generic[S]):
    """Derive from `Constraint[Settings]`, or from `Constraint[NoSettings]`, and give it what stands here."""

    # Lower-case letters, digits and dashes.
    name: str
    # Semantic version; the host identifies by digest.
    version: str
    summary: str
    # Which resource types it judges; all, if empty.
    resource_types: Sequence[str] = ()
    actions: Sequence[Action]
    # SCIM paths it may read, without value filters; everything, if empty.
    reads: Sequence[str] = ()
    # Resource types it looks up.
    looks_up: Sequence[str] = ()
    # Tables it looks into; `*` where settings name them.
    tables: Sequence[str] = ()
    labels: Mapping[str, str] = {}

    def evaluate(self, operation: Operation, settings: S) -> Verdict:
        """Judges. What is raised here is a fault: by default it refuses, and it is never a denial."""
        raise NotImplementedError

    def check_settings(self, settings: S) -> Sequence[Problem]:
        """What JSON Schema cannot say."""
        return ()


def settings_type(constraint: type[Constraint[Any]]) -> type:
    """The S of the `Constraint[S]` that a class derives from."""
    for base in getattr(constraint, "__orig_bases__", ()):
        if arguments := get_args(base):
            return arguments[0]
    return NoSettings


def capabilities(constraint: Constraint[Any]) -> list[str]:
    """What it asks for, as the contract has it."""
    return [f"directory:{name}" for name in constraint.looks_up] + [f"tables:{name}" for name in constraint.tables]


def settings_schema(constraint: Constraint[Any]) -> str:
    """JSON Schema of its settings, as JSON text."""
    return json.dumps(schema(settings_type(type(constraint))))


def read_settings(constraint: Constraint[Any], text: str) -> Any:
    """Settings from their JSON text. A tenant that set nothing has set an empty object."""
    return read(settings_type(type(constraint)), json.loads(text if text.strip() else "{}"))


def problems(constraint: Constraint[Any], text: str) -> list[Problem]:
    """Everything that a constraint finds wrong with settings."""
    try:
        settings = read_settings(constraint, text)
    except ValueError as error:
        return [Problem("", f"settings: {error}")]
    return list(constraint.check_settings(settings))


def checked(constraint: type[Constraint[Any]]) -> Constraint[Any]:
    """A constraint with everything that it must have. What is missing is an error at the build."""
    if not (isinstance(constraint, type) and issubclass(constraint, Constraint)):
        raise TypeError(f"`tool.scruple.constraint` names {constraint!r}, which is no class that derives from `Constraint`")
    for name in ("name", "version", "summary", "actions"):
        if not getattr(constraint, name, None):
            raise TypeError(f"the constraint {constraint.__name__} needs `{name}`")
    return constraint()
