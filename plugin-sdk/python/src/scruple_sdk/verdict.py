"""The answer: allow, not applicable, deny or hold, and the reasons."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

# RFC 7644, table 9. It picks the status of the SCIM error: 409 for uniqueness, 400 for the others, 403 without.
ScimType = Literal[
    "invalidFilter", "tooMany", "uniqueness", "mutability", "invalidSyntax", "invalidPath", "noTarget", "invalidValue",
    "invalidVers", "sensitive",
]


@dataclass(frozen=True)
class Reason:
    """One reason for a denial or a hold.

    `code` is stable and machine-readable: exceptions and dashboards key on it. `message` is for the administrator of the
    identity provider, who reads it in the SCIM error. Put no secrets there.
    """

    code: str
    message: str
    paths: tuple[str, ...] = ()
    scim_type: ScimType | None = None


@dataclass(frozen=True)
class Allow:
    """No objection."""


@dataclass(frozen=True)
class NotApplicable:
    """The rule has nothing to say here; counted apart from `Allow`."""


@dataclass(frozen=True)
class Deny:
    """Refuse. Give every reason at once, so that a person corrects everything in one go."""

    reasons: tuple[Reason, ...]

    def __init__(self, *reasons: Reason):
        object.__setattr__(self, "reasons", reasons)


@dataclass(frozen=True)
class Hold:
    """Refuse for now, keep the request and try again."""

    reasons: tuple[Reason, ...]
    not_before_seconds: int | None = None
    expires_after_seconds: int | None = None


Verdict = Allow | NotApplicable | Deny | Hold


def deny_any(reasons: Iterable[Reason]) -> Verdict:
    """Refuse if there is any reason to, allow otherwise."""
    reasons = tuple(reasons)
    return Deny(*reasons) if reasons else Allow()
