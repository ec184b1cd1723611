"""Between the contract and a constraint, in a component.

What `scruple plugin build` puts in front of it calls `serve`; nobody else does. The modules of the contract are there in a component
alone, those of capabilities only if the plugin imports them.
"""

import json
import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import log as wit_log
from wit_world.imports import report as wit_report
from wit_world.imports import types as wit

from ._platform import enter
from .constraint import Rule, capabilities, checked, problems, read_settings, settings_schema
from .document import ReadError, Value
from .operation import Action, Actor, Difference, Operation
from .rewriting import Edit
from .verdict import Allow, Deny, Hold, NotApplicable, Reason, Verdict

try:
    from wit_world.imports import directory as wit_directory
except ImportError:
    wit_directory = None  # type: ignore[assignment]
try:
    from wit_world.imports import tables as wit_tables
except ImportError:
    wit_tables = None  # type: ignore[assignment]


def serve(named: type[Rule[Any]], exported: Sequence[str]) -> list[type]:
    """The export `About`, and these: `Check`, `Rewrite`. What is raised becomes `err(message)`: a fault, and no denial."""
    rule = checked(named, exported)
    schema = settings_schema(rule)

    class About(exports.About):
        def describe(self) -> exports.about.Descriptor:
            return exports.about.Descriptor(
                rule.name, rule.version, rule.summary, schema, list(rule.resource_types),
                [wit.Action[action.name] for action in rule.actions], list(rule.reads), list(rule.writes),
                capabilities(rule), list(rule.labels.items()),
            )

        def check_settings(self, settings: str) -> None:
            if found := problems(rule, settings):
                raise Err([exports.about.SettingsProblem(problem.pointer, problem.message) for problem in found])

    def answer(operation: Any, settings: str, ask: Callable[[Operation, Any], Any]) -> Any:
        enter(_HOST)
        try:
            return ask(Operation(_Operation(operation)), read_settings(rule, settings))
        except ReadError as error:
            raise Err(str(error)) from error
        except Exception as error:
            raise Err(f"{type(error).__name__}: {error}") from error

    classes: list[type] = [About]
    # The contract's classes are there for what is exported.
    if "check" in exported:

        class Check(exports.Check):
            def evaluate(self, operation: Any, settings: str) -> Any:
                return answer(operation, settings, lambda asked, given: _verdict(rule.evaluate(asked, given)))

        classes.append(Check)
    if "rewrite" in exported:

        class Rewrite(exports.Rewrite):
            def rewrite(self, operation: Any, settings: str) -> Any:
                return answer(operation, settings, lambda asked, given: [_edit(edit) for edit in rule.rewrite(asked, given)])

        classes.append(Rewrite)
    return classes


def _answered(read: Callable[[], Any]) -> Any:
    """What the host answers; the contract's error is raised as a `ReadError`."""
    try:
        return read()
    except Err as error:
        # `ReadError_NotGranted` is the contract's `not-granted`.
        name = type(error.value).__name__.partition("_")[2] or "Other"
        kind = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        raise ReadError(kind, str(getattr(error.value, "value", ""))) from None


def _plain(value: Any) -> Value | None:
    if value is None:
        return None
    return json.loads(value.value) if isinstance(value, wit.Value_Complex) else value.value


def _reason(reason: Reason) -> Any:
    return wit.Reason(reason.code, reason.message, list(reason.paths), reason.scim_type)


def _verdict(verdict: Verdict) -> Any:
    match verdict:
        case Allow():
            return wit.Verdict_Allow()
        case NotApplicable():
            return wit.Verdict_NotApplicable()
        case Deny(reasons=reasons):
            return wit.Verdict_Deny([_reason(reason) for reason in reasons])
        case Hold():
            reasons = [_reason(reason) for reason in verdict.reasons]
            return wit.Verdict_Hold(wit.Hold(reasons, verdict.not_before_seconds, verdict.expires_after_seconds))
    raise TypeError(f"`evaluate` gave {verdict!r}, which is no verdict")


def _edit(edit: Edit) -> Any:
    match edit:
        case Edit("set", path, value):
            return wit.Edit_Set((path, json.dumps(value)))
        case Edit("append", path, value):
            return wit.Edit_Append((path, json.dumps(value)))
        case Edit("remove", path):
            return wit.Edit_Remove(path)
    raise TypeError(f"`rewrite` gave {edit!r}, which is no edit")


class _Document:
    def __init__(self, handle: Any):
        self._handle = handle
        self.id, self.resource_type = handle.id, handle.resource_type

    def read(self, path: str) -> Value | None:
        return _plain(_answered(lambda: self._handle.read(path)))

    def read_all(self, path: str) -> list[Any]:
        return [_plain(value) for value in _answered(lambda: self._handle.read_all(path))]

    def has(self, path: str) -> bool:
        return _answered(lambda: self._handle.has(path))

    def matches(self, filter: str) -> bool:
        return _answered(lambda: self._handle.matches(filter))

    def json(self, path: str | None) -> str:
        return _answered(lambda: self._handle.json(path))


def _document(handle: Any) -> _Document | None:
    return None if handle is None else _Document(handle)


class _Operation:
    def __init__(self, handle: Any):
        self._handle = handle
        self.decision_id, self.resource_type, self.time = handle.decision_id, handle.resource_type, handle.time

    def action(self) -> Action:
        return Action[self._handle.action().name]

    def actor(self) -> Actor:
        actor = self._handle.actor()
        return Actor(actor.subject, tuple(actor.scopes))

    def before(self) -> _Document | None:
        return _document(self._handle.before())

    def after(self) -> _Document | None:
        return _document(self._handle.after())

    def differences(self, under: str | None) -> list[Difference]:
        found = _answered(lambda: self._handle.differences(under))
        return [Difference(difference.path, _plain(difference.before), _plain(difference.after)) for difference in found]

    def changes(self, path: str) -> bool:
        return _answered(lambda: self._handle.changes(path))


def _directory() -> SimpleNamespace | None:
    if wit_directory is None:
        return None
    return SimpleNamespace(
        get=lambda kind, id: _document(_answered(lambda: wit_directory.get(kind, id))),
        find=lambda kind, filter, limit: [
            _Document(found) for found in _answered(lambda: wit_directory.find(kind, filter, limit))
        ],
        count=lambda kind, filter: _answered(lambda: wit_directory.count(kind, filter)),
        is_member=lambda group, member, transitive: _answered(lambda: wit_directory.is_member(group, member, transitive)),
    )


def _tables() -> SimpleNamespace | None:
    if wit_tables is None:
        return None
    return SimpleNamespace(
        contains=lambda table, key: _answered(lambda: wit_tables.contains(table, key)),
        get=lambda table, key: _answered(lambda: wit_tables.get(table, key)),
    )


_HOST = SimpleNamespace(
    report=SimpleNamespace(warn=lambda reason: wit_report.warn(_reason(reason)), note=wit_report.note),
    log=SimpleNamespace(write=lambda level, message: wit_log.write(wit_log.Level[level.upper()], message)),
    directory=_directory(),
    tables=_tables(),
)
