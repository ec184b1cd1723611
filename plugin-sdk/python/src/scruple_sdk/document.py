"""One resource in one state, read value by value.

Every read is recorded: ask for the narrowest path that decides. Paths are those of RFC 7644: `userName`, `name.givenName`,
`emails[type eq "work"].value`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`.
"""

import json
from typing import Any, TypeVar

# A complex value is a `dict`. What is absent is None.
Value = str | bool | int | float | dict[str, Any]

T = TypeVar("T")


class ReadError(Exception):
    """The host did not answer. Uncaught, it ends the evaluation as a fault, never as a denial.

    `kind` is `invalid`, `not-granted`, `budget-exhausted`, `unavailable`, `wrong-type` or `other`.
    """

    def __init__(self, kind: str, message: str):
        super().__init__(f"{kind.replace('-', ' ')}: {message}")
        self.kind = kind


class Document:
    """A resource as it was or would be."""

    def __init__(self, handle: Any):
        self._handle = handle

    @property
    def id(self) -> str | None:
        """None for one that is being created, mostly."""
        return self._handle.id()

    @property
    def resource_type(self) -> str:
        """`User`, `Group`, or the name of a custom resource type."""
        return self._handle.resource_type()

    def value(self, path: str) -> Value | None:
        """The first value that the path selects."""
        return self._handle.read(path)

    def values(self, path: str) -> list[Value]:
        """Every value that the path selects, in document order."""
        return self._handle.read_all(path)

    def text(self, path: str) -> str | None:
        """The first value, which must be text."""
        return _typed(path, self.value(path), str)

    def texts(self, path: str) -> list[str]:
        """Every value, which must all be text."""
        return [text for value in self.values(path) if (text := _typed(path, value, str)) is not None]

    def flag(self, path: str) -> bool | None:
        """The first value, which must be a boolean."""
        return _typed(path, self.value(path), bool)

    def integer(self, path: str) -> int | None:
        """The first value, which must be a whole number."""
        return _typed(path, self.value(path), int)

    def has(self, path: str) -> bool:
        """Whether the path selects anything. Records no more than that."""
        return self._handle.has(path)

    def matches(self, filter: str) -> bool:
        """Whether a SCIM filter holds. Put other people's text into it with `filters`."""
        return self._handle.matches(filter)

    def json(self, path: str) -> Any:
        """What the path selects: a list where there can be several. Records the whole subtree."""
        return json.loads(self._handle.json(path))

    def whole(self) -> dict[str, Any]:
        """Everything that is granted. Records all of it as read."""
        return json.loads(self._handle.json(None))


def _typed(path: str, value: Value | None, wanted: type[T]) -> T | None:
    # To Python a boolean is a number; to SCIM it is none.
    if value is None or type(value) is wanted:
        return value  # type: ignore[return-value]
    raise ReadError("wrong-type", f"`{path}` is {value!r}, which is no {wanted.__name__}")
