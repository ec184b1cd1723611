"""SCIM paths and filters over JSON: `emails[type eq "work"].value`, `userName sw "a" and active eq true`.

A leaf of the test double: what it does not understand is a `ValueError`, never a wrong answer.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_SEVERAL = {
    "emails", "phonenumbers", "ims", "photos", "addresses", "groups", "entitlements", "roles", "x509certificates", "members",
}

# RFC 7643, 3.1 and 7: where two spellings that differ in case are two values.
_CASE_EXACT = {"id", "externalid", "$ref"}

_CORE = "urn:ietf:params:scim:schemas:core:2.0:"


def member(of: Mapping[str, Any], name: str) -> Any:
    """The member of an object in any spelling of case; None for what is no value."""
    key = name if name in of else next((key for key in of if key.lower() == name.lower()), None)
    return None if key is None else of[key]


def elements(value: Any) -> list[Any]:
    """The values of an attribute."""
    return value if isinstance(value, list) else [value]


def is_under(name: str, above: str) -> bool:
    """Whether a name, in lower case, is that one or below it."""
    return name == above or name.startswith((f"{above}.", f"{above}:"))


@dataclass(frozen=True)
class Filter:
    """A filter: whether it holds of a document, and which attributes it compares."""

    holds: Callable[[Mapping[str, Any]], bool]
    names: Callable[[str], list[str]]

    def holds_of(self, element: Any) -> bool:
        """Whether it holds of one value of a multi-valued attribute; the value of a simple one is called `value`."""
        return self.holds(element if isinstance(element, Mapping) else {"value": element})


class Path:
    """An attribute path of RFC 7644, figure 3."""

    def __init__(self, written: str, filter: Filter | None = None, sub: str | None = None):
        self.written, self.filter = written, filter
        self.urn, _, name = written.rpartition(":")
        self.attribute, *own = name.split(".")
        self.sub = sub or (own[0] if own else None)
        if not self.attribute or self.sub == "" or len(own) > 1:
            raise ValueError(f"`{written}` is no attribute path")

    @property
    def name(self) -> str:
        """In lower case, without value filter: what grants are about."""
        prefix = f"{self.urn}:" if self.urn and not is_core(self.urn) else ""
        return f"{prefix}{self.attribute}{f'.{self.sub}' if self.sub else ''}".lower()

    def names(self, prefix: str = "") -> list[str]:
        """The names of all attributes that it looks at: its own, and those that its filter compares."""
        own = prefix + self.name
        if self.filter is None:
            return [own]
        return [*self.filter.names(f"{own.rpartition('.')[0] if self.sub else own}."), own]

    @property
    def is_several(self) -> bool:
        """Whether it leads to or into an attribute that has several values by RFC 7643."""
        return self.attribute.lower() in _SEVERAL

    @property
    def is_case_exact(self) -> bool:
        """Whether two spellings that differ in case are two values."""
        return (self.sub or self.attribute).lower() in _CASE_EXACT

    def select(self, document: Mapping[str, Any]) -> list[Any]:
        """Every value that it selects."""
        if self.urn and (whole := member(document, self.written)) is not None:
            return [whole]
        container = document
        if self.urn:
            container = member(document, self.urn) or (document if is_core(self.urn) else {})
        value = member(container, self.attribute)
        if value is None:
            return []
        chosen = [element for element in elements(value) if self.filter is None or self.filter.holds_of(element)]
        if self.sub is None:
            return chosen
        parts = [member(element, self.sub) for element in chosen if isinstance(element, Mapping)]
        return [inner for part in parts if part is not None for inner in elements(part)]


def is_core(urn: str) -> bool:
    """Whether a URN is that of a core schema, whose attributes stand in the resource itself."""
    return urn.lower().startswith(_CORE)


def _is_text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, literal: isinstance(value, str) and isinstance(literal, str) and test(value, literal)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    # To Python `True == 1`; to SCIM it is not.
    "eq": lambda value, literal: value == literal and isinstance(value, bool) == isinstance(literal, bool),
    "co": _is_text(lambda value, literal: literal in value),
    "sw": _is_text(str.startswith),
    "ew": _is_text(str.endswith),
}


def _comparison(path: Path, operator: str, literal: Any) -> Filter:
    def fold(value: Any) -> Any:
        # RFC 7643, 2.4: the significant sub-attribute of a complex value is `value`.
        value = member(value, "value") if isinstance(value, Mapping) else value
        return value.lower() if isinstance(value, str) and not path.is_case_exact else value

    def holds(document: Mapping[str, Any]) -> bool:
        values = [fold(value) for value in path.select(document)]
        if operator == "ne" and len(values) > 1:
            raise ValueError(f"`{path.name}` has several values: write `not (… eq …)`")
        matches = _OPERATORS["eq" if operator == "ne" else operator]
        return any(matches(value, fold(literal)) for value in values) != (operator == "ne")

    return Filter(holds, path.names)


class _Reader:
    """Reads paths and filters, character by character."""

    def __init__(self, text: str):
        self.text, self.at = text, 0

    def match(self, pattern: str) -> str | None:
        found = re.compile(pattern, re.IGNORECASE).match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0].strip()

    def expect(self, pattern: str, what: str) -> str:
        found = self.match(pattern)
        if found is None:
            raise ValueError(f"`{self.text}`: {what} is expected at {self.at}")
        return found

    def end(self) -> None:
        self.expect(r"\s*$", "the end")

    def path(self) -> Path:
        written = self.expect(r"\s*[A-Za-z$][\w$:.-]*", "an attribute")
        if self.match(r"\[") is None:
            return Path(written)
        filter = self.filter()
        self.expect(r"\s*\]", "`]`")
        return Path(written, filter, self.expect(r"[A-Za-z$][\w$-]*", "a sub-attribute") if self.match(r"\.") else None)

    def filter(self) -> Filter:
        """`or` binds less than `and`, which binds less than `not`."""
        left = self.conjunction()
        while self.match(r"\s*or\b") is not None:
            left = _both(left, self.conjunction(), any)
        return left

    def conjunction(self) -> Filter:
        left = self.single()
        while self.match(r"\s*and\b") is not None:
            left = _both(left, self.single(), all)
        return left

    def single(self) -> Filter:
        negated = self.match(r"\s*not\s*(?=\()") is not None
        if self.match(r"\s*\(") is not None:
            inner = self.filter()
            self.expect(r"\s*\)", "`)`")
            return Filter(lambda document: not inner.holds(document), inner.names) if negated else inner
        path = self.path()
        operator = (self.match(r"\s+(?:pr|eq|ne|co|sw|ew|gt|ge|lt|le)\b") or "").lower()
        # `emails[type eq "work"]` is a filter by itself: whether there is such a value.
        if operator == "pr" or (not operator and path.filter is not None):
            return Filter(lambda document: any(value != "" for value in path.select(document)), path.names)
        if not operator:
            raise ValueError(f"`{self.text}`: an operator is expected at {self.at}")
        if operator != "ne" and operator not in _OPERATORS:
            raise ValueError(f"native tests do not know the operator `{operator}`")
        literal = self.expect(r'\s*(?:"(?:[^"\\]|\\.)*"|true|false|null|-?\d[\d.eE+-]*)', "a value")
        return _comparison(path, operator, json.loads(literal if literal.startswith('"') else literal.lower()))


def _both(left: Filter, right: Filter, of: Callable[[Any], bool]) -> Filter:
    return Filter(
        lambda document: of(part.holds(document) for part in (left, right)),
        lambda prefix: [*left.names(prefix), *right.names(prefix)],
    )


def parse_path(text: str) -> Path:
    """A path, or an error that says what is wrong with it."""
    reader = _Reader(text)
    path = reader.path()
    reader.end()
    return path


def parse_filter(text: str) -> Filter:
    """A filter, likewise."""
    reader = _Reader(text)
    filter = reader.filter()
    reader.end()
    return filter
