"""What is to be judged: the state before, the state after, and what differs."""

from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from functools import cached_property
from typing import Any

from .document import Document, Value


class Action(Enum):
    """What is being done. PUT and PATCH are both `UPDATE`: what counts is what would be stored."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    # Nothing is changing: does this resource, as it stands, satisfy the constraint?
    ASSESS = "assess"


@dataclass(frozen=True)
class Actor:
    """The authenticated client."""

    subject: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """One effective difference, at the finest path that differs."""

    path: str
    before: Value | None
    after: Value | None


class Operation:
    """An operation under judgement."""

    def __init__(self, handle: Any):
        self._handle = handle

    @property
    def decision_id(self) -> str:
        """Also in the log and in the SCIM error."""
        return self._handle.decision_id()

    @cached_property
    def action(self) -> Action:
        """What is being done."""
        return self._handle.action()

    @property
    def resource_type(self) -> str:
        """`User`, `Group`, or the name of a custom resource type."""
        return self._handle.resource_type()

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self._handle.actor()

    @property
    def time(self) -> datetime:
        """The time of the request: the only clock there is."""
        return datetime.fromtimestamp(self._handle.time() / 1000, timezone.utc)

    @cached_property
    def before(self) -> Document | None:
        """None for a create."""
        return _document(self._handle.before())

    @cached_property
    def after(self) -> Document | None:
        """None for a delete."""
        return _document(self._handle.after())

    def differences(self, under: str | None = None) -> list[Difference]:
        """What differs, all of it or at and under a path. None for a delete: everything goes."""
        return self._handle.differences(under)

    def changes(self, path: str) -> bool:
        """Whether anything differs at or under the path."""
        return self._handle.changes(path)

    def new_texts(self, path: str) -> list[str]:
        """The texts that the path selects after and did not before: for rules that let old data be."""
        texts = self.after.texts(path) if self.after else []
        if self.action is not Action.UPDATE or not texts or not self.before:
            return texts
        old = self.before.texts(path)
        return [text for text in texts if text not in old]

    def added(self, path: str) -> list[str]:
        """Which values a multi-valued attribute gains, each by its `value`: `added("members")` are ids."""
        return [name for d in self.differences(path) if d.before is None and (name := _named(d.after)) is not None]

    def removed(self, path: str) -> list[str]:
        """Which values it loses."""
        return [name for d in self.differences(path) if d.after is None and (name := _named(d.before)) is not None]

    def turns_on(self, path: str) -> bool:
        """Whether a boolean is true after and was not before."""
        return _is_on(self.after, path) and not _is_on(self.before, path)

    def turns_off(self, path: str) -> bool:
        """Whether a boolean was true before and is not after."""
        return _is_on(self.before, path) and not _is_on(self.after, path)


def _document(handle: Any) -> Document | None:
    return None if handle is None else Document(handle)


def _is_on(document: Document | None, path: str) -> bool:
    return bool(document and document.flag(path))


def _named(value: Value | None) -> str | None:
    named = value.get("value") if isinstance(value, dict) else value
    return named if isinstance(named, str) else None
