"""The rule of the golden components, for componentize-py."""

import json
import re

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import directory, report
from wit_world.imports.types import Reason, Action, Value_Text, Verdict_Allow, Verdict_Deny, Verdict_NotApplicable

DEPARTMENT = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
USER_NAME = re.compile(r"[a-z][a-z0-9.-]{1,30}")


def text(document, path):
    """The text at a path, or None; raises what the host refuses."""
    value = document.read(path)
    return value.value if isinstance(value, Value_Text) else None


class About(exports.About):
    def describe(self):
        return exports.about.Descriptor(
            name="golden",
            version="1.0.0",
            summary="A pattern for user names, a department for everybody, external ids that stay and are unique",
            settings_schema="{}",
            resource_types=["User"],
            actions=[Action.CREATE, Action.UPDATE],
            reads=["userName", "externalId", DEPARTMENT],
            writes=[],
            capabilities=["directory:User"],
            labels=[],
        )

    def check_settings(self, settings):
        return None


class Check(exports.Check):
    def evaluate(self, operation, settings):
        try:
            return judge(operation)
        except Err as error:
            raise Err(f"could not read: {type(error.value).__name__}") from error


def judge(operation):
    after = operation.after()
    if after is None:
        return Verdict_NotApplicable()
    reasons = []
    user_name = text(after, "userName") or ""
    if not USER_NAME.fullmatch(user_name):
        message = f"the user name `{user_name}` does not match the pattern"
        reasons.append(Reason("user-name", message, ["userName"], "invalidValue"))
    if not text(after, DEPARTMENT):
        reasons.append(Reason("department", "a user needs a department", [DEPARTMENT], "invalidValue"))
    now = text(after, "externalId")
    before = operation.before()
    if before is not None:
        then = text(before, "externalId")
        if then is not None and then != now:
            report.note("external id", f"{then} -> {now or ''}")
            reasons.append(Reason("external-id", "the external id does not change", ["externalId"], "mutability"))
    elif now is not None and directory.count("User", f"externalId eq {json.dumps(now)}") > 0:
        message = f"another user has the external id `{now}`"
        reasons.append(Reason("external-id-taken", message, ["externalId"], "uniqueness"))
    return Verdict_Deny(reasons) if reasons else Verdict_Allow()
