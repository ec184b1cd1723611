"""Work addresses belong to the company.

%if directory
Nobody has an address that another user has.
%end
%if tables
Departments are those that there are.
%end
Only values that are new are judged: old data must not stop a change of something else.
"""

from dataclasses import dataclass

from scruple_sdk import Action, Constraint, Operation, Problem, Reason, Verdict, deny_any, setting
%if directory
from scruple_sdk import directory, filters
%end
%if tables
from scruple_sdk import tables
%end

WORK_ADDRESS = 'emails[type eq "work"].value'
%if tables
DEPARTMENT = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"
# The table of the tenant that has the code of each department.
DEPARTMENTS = "departments"
%end


@dataclass(frozen=True)
class Settings:
    """What a tenant sets. Its JSON Schema is made of this class."""

    domain: str = setting("The domain of every work address: `example.com`, or `*.example.com` for every domain below it.")


class Rule(Constraint[Settings]):
    name = "{{name}}"
    version = "0.1.0"
    summary = "Work addresses belong to the company"
    resource_types = ["User"]
    actions = [Action.CREATE, Action.UPDATE]
%if not tables
    reads = ["emails.value", "emails.type"]
%end
%if tables
    reads = ["emails.value", "emails.type", DEPARTMENT]
    tables = [DEPARTMENTS]
%end
%if directory
    looks_up = ["User"]
%end

    def evaluate(self, operation: Operation, settings: Settings) -> Verdict:
        reasons = []
        for address in operation.new_texts(WORK_ADDRESS):
            if not is_at_domain(address, settings.domain):
                message = f"`{address}` is not an address at {settings.domain}"
                reasons.append(Reason("foreign-domain", message, ("emails",), "invalidValue"))
%if directory
            if is_taken(operation, address):
                message = f"another user has the address `{address}`"
                reasons.append(Reason("address-taken", message, ("emails",), "uniqueness"))
%end
%if tables
        for department in operation.new_texts(DEPARTMENT):
            if not tables.contains(DEPARTMENTS, department):
                message = f"there is no department `{department}`"
                reasons.append(Reason("unknown-department", message, (DEPARTMENT,), "invalidValue"))
%end
        return deny_any(reasons)

    def check_settings(self, settings: Settings) -> list[Problem]:
        return [Problem("/domain", "a domain has no `@`")] if "@" in settings.domain else []


def is_at_domain(address: str, domain: str) -> bool:
    """Whether what stands behind the last `@` is the domain."""
    _, at, found = address.lower().rpartition("@")
    allowed = domain.lower()
    if allowed.startswith("*."):
        return bool(at) and found.endswith(allowed[1:]) and len(found) >= len(allowed)
    return bool(at) and found == allowed
%if directory


def is_taken(operation: Operation, address: str) -> bool:
    """Whether somebody else has the address. Look-ups answer as of before the operation."""
    own = operation.before.id if operation.before else None
    holders = directory.find("User", filters.equals("emails.value", address), 2)
    return any(user.id != own for user in holders)
%end
