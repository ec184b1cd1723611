"""The host's side of the contract over JSON in memory: what it answers, and what it refuses."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

from ..constraint import Rule, capabilities
from ..document import ReadError
from ..operation import Action, Actor
from ..verdict import Reason
from .differences import differences
from .paths import Filter, Path, is_under, member, parse_filter, parse_path

T = TypeVar("T")
Resource = Mapping[str, Any]


@dataclass
class Asked:
    """One operation. The time is the start of 2026."""

    action: Action
    resource_type: str
    before: Resource | None
    after: Resource | None
    actor: Actor = Actor("test-client", ("scim",))
    time_ms: int = 1_767_225_600_000


def _parsed(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ReadError("invalid", str(error)) from None


class Tenant:
    """Everything around the operation, what of it is granted, and what was recorded."""

    def __init__(self, rule: Rule[Any], resources: list[tuple[str, Resource]], tables: Mapping[str, Mapping[str, Any]]):
        self._granted = [parse_path(path).name for path in rule.reads]
        self._capabilities = capabilities(rule)
        self._tables = tables
        with_groups = [(kind, self._with_groups(kind, resource, resources)) for kind, resource in resources]
        self._resources = sorted(with_groups, key=lambda other: other[1]["id"])
        self.reads: list[str] = []
        self.warnings: list[Reason] = []
        self.notes: list[tuple[str, str]] = []
        self.log: list[str] = []

    @staticmethod
    def _with_groups(kind: str, resource: Resource, others: list[tuple[str, Resource]]) -> Resource:
        """`groups` of a user is read-only and follows from the members of groups."""
        if kind != "User":
            return resource
        groups = [
            {"value": other["id"], "display": other.get("displayName"), "type": "direct"}
            for other_kind, other in others
            if other_kind == "Group" and any(found.get("value") == resource.get("id") for found in other.get("members", []))
        ]
        return {**resource, "groups": groups} if groups else resource

    def _is_granted(self, name: str) -> bool:
        free = not self._granted or name in ("id", "meta", "schemas")
        return free or any(is_under(name, grant) for grant in self._granted)

    def _check_capability(self, kind: str, name: str) -> None:
        any_table = kind == "tables" and "tables:*" in self._capabilities
        if not any_table and f"{kind}:{name}" not in self._capabilities:
            raise ReadError("not-granted", f"`{kind}:{name}` is not among the declared capabilities")

    def _read(self, what: str, names: list[str], answer: Callable[[], T]) -> T:
        """Records a read and answers it, if all the attributes that it looks at are granted."""
        for name in names:
            if not self._is_granted(name):
                raise ReadError("not-granted", f"`{name}` is not among the declared reads")
        self.reads.append(what)
        try:
            return answer()
        except ValueError as error:
            raise ReadError("invalid", str(error)) from None

    def document(self, label: str, kind: str, state: Resource) -> SimpleNamespace:
        """A handle of a resource, as the contract has it."""

        def select(path: str, then: Callable[[list[Any], Path], T]) -> T:
            found = _parsed(parse_path, path)
            return self._read(f"{label} {path}", found.names(), lambda: then(found.select(state), found))

        def matches(filter: str) -> bool:
            found = _parsed(parse_filter, filter)
            return self._read(f"{label} matches {filter}", found.names(""), lambda: found.holds(state))

        def as_json(path: str | None) -> str:
            if path is None:
                granted = {name: value for name, value in state.items() if self._is_granted(name.lower())}
                return self._read(label, [], lambda: json.dumps(granted))
            return select(path, lambda found, path: json.dumps(found if path.is_several else next(iter(found), None)))

        return SimpleNamespace(
            id=lambda: state.get("id"),
            resource_type=lambda: kind,
            read=lambda path: select(path, lambda found, _: next(iter(found), None)),
            read_all=lambda path: select(path, lambda found, _: found),
            has=lambda path: select(path, lambda found, _: bool(found)),
            matches=matches,
            json=as_json,
        )

    def operation(self, asked: Asked) -> SimpleNamespace:
        """A handle of the operation, as the contract has it."""
        found = differences(asked.before, asked.after)

        def under(path: str | None) -> list[Any]:
            if path is None:
                return [difference for difference in found if self._is_granted(parse_path(difference.path).name)]
            above = _parsed(parse_path, path)
            if above.filter is not None:
                raise ReadError("invalid", "native tests know no differences under a value filter")
            below = [difference for difference in found if is_under(parse_path(difference.path).name, above.name)]
            return self._read(f"differences {path}", [above.name], lambda: below)

        def state(label: str, given: Resource | None) -> SimpleNamespace | None:
            if given is None:
                return None
            kind = asked.resource_type
            return self.document(label, kind, self._with_groups(kind, given, self._resources))

        return SimpleNamespace(
            decision_id=lambda: "test-decision",
            action=lambda: asked.action,
            resource_type=lambda: asked.resource_type,
            actor=lambda: asked.actor,
            time=lambda: asked.time_ms,
            before=lambda: state("before", asked.before),
            after=lambda: state("after", asked.after),
            differences=under,
            changes=lambda path: bool(under(path)),
        )

    def platform(self) -> SimpleNamespace:
        """The interfaces that a constraint asks."""
        return SimpleNamespace(
            report=SimpleNamespace(
                warn=self.warnings.append,
                note=lambda key, value: self.notes.append((key, value)),
            ),
            log=SimpleNamespace(write=lambda level, message: self.log.append(f"{level}: {message}")),
            directory=SimpleNamespace(get=self._get, find=self._find, count=self._count, is_member=self._is_member),
            tables=SimpleNamespace(contains=lambda table, key: self._row(table, key) is not None, get=self._row),
        )

    def _matching(self, what: str, kind: str, filter: str) -> list[Resource]:
        self._check_capability("directory", kind)
        found: Filter = _parsed(parse_filter, filter)
        others = [resource for other, resource in self._resources if other == kind]
        return self._read(f"{what} {kind}: {filter}", found.names(""), lambda: [one for one in others if found.holds(one)])

    def _get(self, kind: str, id: str) -> SimpleNamespace | None:
        self._check_capability("directory", kind)
        found = next((resource for other, resource in self._resources if (other, resource["id"]) == (kind, id)), None)
        return self._read(f"get {kind} {id}", [], lambda: None if found is None else self.document(f"{kind} {id}", kind, found))

    def _find(self, kind: str, filter: str, limit: int) -> list[SimpleNamespace]:
        found = self._matching("find", kind, filter)[:limit]
        return [self.document(f"{kind} {resource['id']}", kind, resource) for resource in found]

    def _count(self, kind: str, filter: str) -> int:
        return len(self._matching("count", kind, filter))

    def _is_member(self, group_id: str, member_id: str, transitive: bool) -> bool:
        self._check_capability("directory", "Group")
        members = {
            resource["id"]: [found.get("value") for found in resource.get("members", [])]
            for kind, resource in self._resources
            if kind == "Group"
        }
        reached, open_groups = set(members.get(group_id, [])), list(members.get(group_id, []))
        while transitive and open_groups:
            fresh = [id for id in members.get(open_groups.pop(), []) if id not in reached]
            reached.update(fresh)
            open_groups += fresh
        return self._read(f"is-member {group_id} {member_id}", [], lambda: member_id in reached)

    def _row(self, table: str, key: str) -> str | None:
        self._check_capability("tables", table)
        rows = member(self._tables, table)
        if rows is None:
            raise ReadError("unavailable", f"there is no table `{table}`")
        return self._read(f"table {table} {key}", [], lambda: json.dumps(rows[key]) if key in rows else None)
