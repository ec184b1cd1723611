"""Edits of a rewriter, and a working copy to make them of."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

from .document import Document


@dataclass(frozen=True)
class Edit:
    """A change that a rewriter asks for, with the meaning that the operation of a SCIM PATCH has.

    Paths are those of RFC 7644: `name.givenName`, `emails[type eq "work"].value`. What cannot be done is a fault.
    """

    kind: Literal["set", "append", "remove"]
    path: str
    # Of `remove`, none.
    value: Any = None

    @classmethod
    def set(cls, path: str, value: Any) -> Self:
        """An attribute, or all values of a multi-valued one; of a complex one, the parts that are given. None removes."""
        return cls("set", path, value)

    @classmethod
    def append(cls, path: str, value: Any) -> Self:
        """One value of a multi-valued attribute, if it does not have it. No filter in the path."""
        return cls("append", path, value)

    @classmethod
    def remove(cls, path: str) -> Self:
        """An attribute, or the values that the path selects."""
        return cls("remove", path)


class Draft:
    """A state as a rewriter has left it so far, and the edits that make it so.

    What is set to what it is already is no edit. Paths have no value filters here, and each is to be spelled in one way.
    """

    def __init__(self, document: Document):
        """Of the state after, mostly."""
        self._document = document
        self._made: dict[str, Any] = {}

    def value(self, path: str) -> Any:
        """What a path selects: a list where there can be several values, None for none."""
        if path in self._made:
            return copy.deepcopy(self._made[path])
        whole, part = _split(path)
        if part is not None and whole in self._made:
            made = copy.deepcopy(self._made[whole])
            if isinstance(made, list):
                return [value[part] for value in made if isinstance(value, dict) and part in value]
            return made.get(part) if isinstance(made, dict) else None
        value = self._document.json(path)
        # Parts of it may have been set by themselves.
        for made, new in self._made.items():
            whole, part = _split(made)
            if whole == path and part is not None and not isinstance(value, list):
                value = {**(value or {}), part: copy.deepcopy(new)}
        return value

    def text(self, path: str) -> str | None:
        """The text that a path selects, if it is one."""
        value = self.value(path)
        return value if isinstance(value, str) else None

    def set(self, path: str, value: Any) -> None:
        """An attribute or a sub-attribute, or all values of a multi-valued attribute."""
        if _same(self.value(path), value):
            return
        self._made = {made: new for made, new in self._made.items() if _split(made)[0] != path}
        self._made[path] = copy.deepcopy(value)

    def map_texts(self, path: str, map: Callable[[str], str]) -> None:
        """Changes every text that a path selects, such as each of `emails.value`. Two that become the same are one."""
        value = self.value(path)
        if isinstance(value, str):
            self.set(path, map(value))
        elif isinstance(value, list):
            whole, part = _split(path)
            mapped = [_mapped(element, part, map) for element in self.value(whole)]
            self.set(whole, mapped)

    def edits(self) -> list[Edit]:
        """The edits that make the state what it is here; none if it was so."""
        return [Edit.set(path, value) for path, value in sorted(self._made.items(), key=lambda made: made[0])]


def _mapped(element: Any, part: str | None, map: Callable[[str], str]) -> Any:
    if isinstance(element, str) and part is None:
        return map(element)
    if isinstance(element, dict) and part is not None and isinstance(element.get(part), str):
        return {**element, part: map(element[part])}
    return element


def _split(path: str) -> tuple[str, str | None]:
    """`name.givenName` → `name` and `givenName`. A dot in a URN is none of a path: it stands before the last colon."""
    names = path.rfind(":") + 1
    attribute, _, part = path[names:].partition(".")
    return path[:names] + attribute, part or None


def _same(one: Any, other: Any) -> bool:
    # To Python `True == 1`; to SCIM it is not.
    return one == other and isinstance(one, bool) == isinstance(other, bool)
