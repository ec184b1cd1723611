"""What differs between two states, at the finest path, named as the host names it. A leaf of the test double."""

import json
from collections.abc import Mapping
from typing import Any

from ..operation import Difference
from .paths import elements, member

# Kept by the host itself, so never part of what a client changes.
_KEPT_BY_HOST = {"schemas", "id", "meta", "groups"}


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """Every effective difference. A delete has none: everything goes."""
    found: list[Difference] = []
    if after is None:
        return found
    for name in _names(before or {}, after):
        if name.lower() in _KEPT_BY_HOST:
            continue
        old, new = member(before or {}, name), member(after, name)
        # An extension is a container, not an attribute: its own attributes are named behind a colon.
        found += _parts(f"{name}:", old, new) if ":" in name else _compare(name, old, new)
    return found


def _compare(path: str, before: Any, after: Any) -> list[Difference]:
    if before == after:
        return []
    if isinstance(before, list) or isinstance(after, list):
        return _several(path, before, after)
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        return _parts(f"{path}.", before, after)
    return [Difference(path, before, after)]


def _parts(prefix: str, before: Any, after: Any) -> list[Difference]:
    """Attributes of an extension, sub-attributes of a complex one."""
    old, new = (value if isinstance(value, Mapping) else {} for value in (before, after))
    return [found for name in _names(old, new) for found in _compare(prefix + name, member(old, name), member(new, name))]


def _several(path: str, before: Any, after: Any) -> list[Difference]:
    """A value of a multi-valued attribute is the same value as long as it is named by the same filter."""
    old, new = ([] if value is None else elements(value) for value in (before, after))
    old_by, new_by = ({_element_path(path, value): value for value in values} for values in (old, new))
    found = []
    for name, value in old_by.items():
        other = new_by.get(name)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            found += _parts(f"{name}.", value, other)
        elif value != other:
            found.append(Difference(name, value, other))
    return found + [Difference(name, None, value) for name, value in new_by.items() if name not in old_by]


def _element_path(path: str, element: Any) -> str:
    """`emails[value eq "a@x"]`; by `type` where a value has no `value`, as addresses."""
    if not isinstance(element, Mapping):
        return f"{path}[value eq {json.dumps(element, ensure_ascii=False)}]"
    key = next((key for key in ("value", "type") if member(element, key) is not None), None)
    return path if key is None else f"{path}[{key} eq {json.dumps(member(element, key), ensure_ascii=False)}]"


def _names(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    return sorted({*one, *other})
