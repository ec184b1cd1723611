"""Runs a constraint or a rewriter natively on a scenario, without WebAssembly and without a host: for `python3 -m unittest`.

What the constraint declares is held against it as the host would: an attribute outside `reads`, or a look-up that was not asked
for, is refused here too. This is a double, not the host: what it does not understand is an error.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from .._platform import enter
from ..constraint import Constraint, Rewriter, Rule, checked, problems, read_settings
from ..operation import Action, Actor, Operation
from ..rewriting import Edit
from ..verdict import Allow, Deny, Hold, NotApplicable, Reason, Verdict
from .edits import with_edits
from .tenant import Asked, Tenant

__all__ = ["Outcome", "Rewritten", "Scenario", "settings_problems"]

Resource = Mapping[str, Any]


class Scenario:
    """One operation and the tenant around it. States are whole resources, not requests."""

    def __init__(self, action: Action, resource_type: str, before: Resource | None, after: Resource | None):
        self._asked = Asked(action, resource_type, before, after)
        self._resources: list[tuple[str, Resource]] = []
        self._tables: dict[str, Mapping[str, Any]] = {}

    @classmethod
    def create(cls, resource_type: str, after: Resource) -> Self:
        """Somebody creates a resource."""
        return cls(Action.CREATE, resource_type, None, after)

    @classmethod
    def update(cls, resource_type: str, before: Resource, after: Resource) -> Self:
        """Somebody changes a resource."""
        return cls(Action.UPDATE, resource_type, before, after)

    @classmethod
    def delete(cls, resource_type: str, before: Resource) -> Self:
        """Somebody deletes a resource."""
        return cls(Action.DELETE, resource_type, before, None)

    @classmethod
    def assess(cls, resource_type: str, resource: Resource) -> Self:
        """Nobody does anything: does the resource satisfy the constraint?"""
        return cls(Action.ASSESS, resource_type, resource, resource)

    def actor(self, subject: str) -> Self:
        """Who asks; `test-client` otherwise."""
        self._asked.actor = Actor(subject, self._asked.actor.scopes)
        return self

    def at(self, time: datetime) -> Self:
        """When; the start of 2026 otherwise."""
        self._asked.time_ms = int(time.timestamp() * 1000)
        return self

    def user(self, resource: Resource) -> Self:
        """There is also this user. It needs an `id`; its `groups` follow from the groups that have it as a member."""
        return self.resource("User", resource)

    def group(self, resource: Resource) -> Self:
        """There is also this group. It needs an `id`."""
        return self.resource("Group", resource)

    def resource(self, resource_type: str, resource: Resource) -> Self:
        """There is also this resource. It needs an `id`."""
        if "id" not in resource:
            raise ValueError("a resource of the directory needs an `id`")
        self._resources.append((resource_type, resource))
        return self

    def table(self, name: str, rows: Mapping[str, Any] | Sequence[str]) -> Self:
        """There is this table: from key to row, or a list of keys. One that is not there has no answer, as on the host."""
        self._tables[name] = rows if isinstance(rows, Mapping) else {key: {} for key in rows}
        return self

    def check(self, constraint: type[Constraint[Any]], settings: Any = None) -> "Outcome":
        """Evaluates a constraint with these settings, as JSON."""
        return Outcome(*self._ask(constraint, settings, lambda rule, operation, given: rule.evaluate(operation, given)))

    def rewrite(self, rewriter: type[Rewriter[Any]], settings: Any = None) -> "Rewritten":
        """Asks a rewriter with these settings, as JSON, and makes its edits."""

        def ask(rule: Any, operation: Operation, given: Any) -> tuple[list[Edit], dict[str, Any]]:
            edits = list(rule.rewrite(operation, given))
            if self._asked.after is None:
                raise ValueError("there is no state after to be edited")
            return edits, with_edits(self._asked.after, edits, rule.writes)

        return Rewritten(*self._ask(rewriter, settings, ask))

    def _ask(
        self, asked: type[Rule[Any]], settings: Any, ask: Callable[[Any, Operation, Any], Any]
    ) -> tuple[Any, Exception | None, Tenant]:
        rule, before = checked(asked), self._asked.before
        # Look-ups answer as of before the operation, so the resource in that state is among the others.
        own = (self._asked.resource_type, (before or {}).get("id"))
        resources = [other for other in self._resources if (other[0], other[1]["id"]) != own]
        if before is not None and own[1] is not None:
            resources.append((own[0], before))
        tenant = Tenant(rule, resources, self._tables)
        outside = enter(tenant.platform())
        try:
            given = read_settings(rule, json.dumps({} if settings is None else settings))
            return ask(rule, Operation(tenant.operation(self._asked)), given), None, tenant
        except Exception as error:
            return None, error, tenant
        finally:
            enter(outside)


class _Said:
    """What was said, or raised, and what was recorded on the way."""

    def __init__(self, said: Any, error: Exception | None, tenant: Tenant):
        self._said, self._error = said, error
        # What was read, in order, as in `after userName` or `count User: active eq true`.
        self.reads: list[str] = tenant.reads
        self.warnings: list[Reason] = tenant.warnings
        self.notes: list[tuple[str, str]] = tenant.notes
        self.log: list[str] = tenant.log

    @property
    def fault(self) -> str | None:
        """Why there is no answer: the constraint could not decide, or the edits cannot be made. None if there is one."""
        return None if self._error is None else str(self._error)

    def _answer(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._said


class Rewritten(_Said):
    """What a rewriter led to."""

    @property
    def edits(self) -> list[Edit]:
        """Its edits. Raises what it did, or why they cannot be made."""
        return self._answer()[0]

    @property
    def after(self) -> dict[str, Any]:
        """The state after, with its edits made; raises likewise."""
        return self._answer()[1]


class Outcome(_Said):
    """What one evaluation led to."""

    @property
    def verdict(self) -> Verdict:
        """The verdict. Raises what the constraint did, if it could not decide."""
        verdict = self._answer()
        if not isinstance(verdict, (Allow, NotApplicable, Deny, Hold)):
            raise TypeError(f"`evaluate` gave {verdict!r}, which is no verdict")
        return verdict

    @property
    def is_allowed(self) -> bool:
        """Whether it has no objection; also when the rule does not apply."""
        return isinstance(self.verdict, (Allow, NotApplicable))

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons of a denial or a hold."""
        return self.verdict.reasons if isinstance(self.verdict, (Deny, Hold)) else ()

    @property
    def codes(self) -> list[str]:
        """Their codes."""
        return [reason.code for reason in self.reasons]


def settings_problems(constraint: type[Rule[Any]], settings: Any) -> list[str]:
    """Every problem that a constraint or a rewriter finds in settings, as in `/minimum: must not be 0`."""
    found = problems(checked(constraint), json.dumps(settings))
    return [f"{problem.pointer}: {problem.message}" for problem in found]
