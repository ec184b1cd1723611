"""User names follow from people's names, by a template of the tenant's, and are none that is reserved.

Judged when the user name is new. Somebody's name may change (a marriage) without a new user name.
"""

import re
import unicodedata
from dataclasses import dataclass

from scruple_sdk import (
    Action, Constraint, Document, NotApplicable, Operation, Problem, Reason, Verdict, deny_any, setting,
)

# What a template can name, and where it stands.
PARTS = {"given": "name.givenName", "family": "name.familyName"}

# `{given}`, or `{given:1}` for its first letter.
PLACE = re.compile(r"\{(\w+)(?::(\d+))?\}")

# Letters that are not a letter with a mark.
SPELLED = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ð": "d", "œ": "oe", "ı": "i"})


@dataclass(frozen=True)
class Settings:
    """What a tenant sets."""

    templates: list[str] = setting(
        "What a user name may be, before an `@` if it has one: `{given}.{family}`, `{given:1}{family}`.", minItems=1
    )
    numbered: bool = setting("Accept a number behind it, for people of one name: `ada.lovelace2`.", True)
    reserved: list[str] = setting("User names that nobody gets, such as `admin`. Case does not count.", [])


class NamingPolicy(Constraint[Settings]):
    name = "naming-policy"
    version = "0.1.0"
    summary = "User names follow from people's names"
    resource_types = ["User"]
    actions = [Action.CREATE, Action.UPDATE, Action.ASSESS]
    reads = ["userName", "name.givenName", "name.familyName"]

    def evaluate(self, operation: Operation, settings: Settings) -> Verdict:
        new = operation.new_texts("userName")
        if not operation.after or not new:
            return NotApplicable()
        local = new[0].partition("@")[0].lower()
        reasons = []
        if local in [name.lower() for name in settings.reserved]:
            reasons.append(refused("reserved-name", f"the user name `{new[0]}` is reserved"))
        allowed = [made for template in settings.templates if (made := fill(template, operation.after))]
        if not allowed:
            reasons.append(refused("name-missing", f"a user name follows from a name: {', '.join(settings.templates)}"))
        elif not any(fits(local, name, settings.numbered) for name in allowed):
            message = f"the user name `{new[0]}` does not follow from the name; `{'` or `'.join(allowed)}` would"
            reasons.append(refused("naming-policy", message))
        return deny_any(reasons)

    def check_settings(self, settings: Settings) -> list[Problem]:
        return [
            Problem(f"/templates/{i}", f"it names `{part}`; there are {' and '.join(PARTS)}")
            for i, template in enumerate(settings.templates)
            for part, _ in PLACE.findall(template)
            if part not in PARTS
        ]


def refused(code: str, message: str) -> Reason:
    return Reason(code, message, ("userName",), "invalidValue")


def fill(template: str, user: Document) -> str | None:
    """A template with the parts of the user's name; None if one that it names is not there."""
    filled = template.lower()
    for part, letters in PLACE.findall(template):
        text = plain(user.text(PARTS[part]) or "")
        if not text:
            return None
        filled = PLACE.sub(text[: int(letters)] if letters else text, filled, count=1)
    return filled


def plain(text: str) -> str:
    """A name as it stands in a user name: small letters of ASCII and digits. `Zoë O'Neill` is `zoeoneill`."""
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(SPELLED))
    return re.sub(r"[^a-z0-9]", "", decomposed)


def fits(local: str, name: str, numbered: bool) -> bool:
    return local == name or (numbered and local.startswith(name) and local[len(name) :].isdecimal())
