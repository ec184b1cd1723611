"""A constraint or a rewriter: what it is and asks for, its settings, and its method."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, get_args

from .operation import Action, Operation
from .rewriting import Edit
from .settings import NoSettings, Problem, read, schema
from .verdict import Verdict

S = TypeVar("S")


class Rule(Generic[S]):
    """What constraints and rewriters have in common: derive from one of those, or from both."""

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
    # Of a rewriter, the SCIM paths it may edit, without value filters; `*` for all of them. What is read-only, a password
    # and members cannot be edited.
    writes: Sequence[str] = ()

    def check_settings(self, settings: S) -> Sequence[Problem]:
        """What JSON Schema cannot say."""
        return ()


class Constraint(Rule[S]):
    """Derive from `Constraint[Settings]`, or from `Constraint[NoSettings]`, and give it what stands here and in `Rule`."""

    def evaluate(self, operation: Operation, settings: S) -> Verdict:
        """Judges. What is raised here is a fault: by default it refuses, and it is never a denial."""
        raise NotImplementedError


class Rewriter(Rule[S]):
    """Derive from `Rewriter[Settings]`, or from `Rewriter[NoSettings]`, and give it what stands here and in `Rule`.

    It changes what would be stored, before anybody judges it. It is asked about creates and updates.
    """

    def rewrite(self, operation: Operation, settings: S) -> Iterable[Edit]:
        """The edits that make the state after what it should be. What is raised here is a fault.

        Of a state that is right already, none: clients repeat their requests.
        """
        raise NotImplementedError


def settings_type(constraint: type[Rule[Any]]) -> type:
    """The S of the `Constraint[S]` or `Rewriter[S]` that a class derives from."""
    for base in getattr(constraint, "__orig_bases__", ()):
        if arguments := get_args(base):
            return arguments[0]
    return NoSettings


def capabilities(constraint: Rule[Any]) -> list[str]:
    """What it asks for, as the contract has it."""
    return [f"directory:{name}" for name in constraint.looks_up] + [f"tables:{name}" for name in constraint.tables]


def settings_schema(constraint: Rule[Any]) -> str:
    """JSON Schema of its settings, as JSON text."""
    return json.dumps(schema(settings_type(type(constraint))))


def read_settings(constraint: Rule[Any], text: str) -> Any:
    """Settings from their JSON text. A tenant that set nothing has set an empty object."""
    return read(settings_type(type(constraint)), json.loads(text if text.strip() else "{}"))


def problems(constraint: Rule[Any], text: str) -> list[Problem]:
    """Everything that a constraint finds wrong with settings."""
    try:
        settings = read_settings(constraint, text)
    except ValueError as error:
        return [Problem("", f"settings: {error}")]
    return list(constraint.check_settings(settings))


# What a component exports, the class that has it, and the member of `tool.scruple` in pyproject.toml that asks for it.
_EXPORTS: dict[str, tuple[type[Rule[Any]], str]] = {"check": (Constraint, "constraint"), "rewrite": (Rewriter, "rewriter")}


def checked(rule: type[Rule[Any]], exported: Sequence[str] = ()) -> Any:
    """A constraint or a rewriter with everything that it must have. What is missing is an error at the build."""
    if not (isinstance(rule, type) and issubclass(rule, Rule)):
        wanted, member = _EXPORTS[exported[0] if exported else "check"]
        raise TypeError(f"`tool.scruple.{member}` names {rule!r}, which is no class that derives from `{wanted.__name__}`")
    for name, (wanted, member) in _EXPORTS.items():
        is_one = issubclass(rule, wanted)
        if name in exported and not is_one:
            raise TypeError(f"`tool.scruple.{member}` names {rule.__name__}, which does not derive from `{wanted.__name__}`")
        if exported and is_one and name not in exported:
            raise TypeError(f"{rule.__name__} is a `{wanted.__name__}`: name it as `tool.scruple.{member}` in pyproject.toml, too")
    for name in ("name", "version", "summary", "actions", *(["writes"] if issubclass(rule, Rewriter) else [])):
        if not getattr(rule, name, None):
            raise TypeError(f"{rule.__name__} needs `{name}`")
    return rule()
