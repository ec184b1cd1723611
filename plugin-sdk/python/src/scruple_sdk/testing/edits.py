"""A rewriter's edits over JSON, as the host makes them by its PATCH.

A leaf of the test double: without schemas it cannot tell everything, and what it does not know is an error. Whether what is left is
valid, only the host says.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..rewriting import Edit
from .paths import Path, elements, is_core, is_under, parse_path

Change = Callable[[Any], Any]


def with_edits(after: Mapping[str, Any], edits: Sequence[Edit], writes: Sequence[str]) -> dict[str, Any]:
    """The state after with these edits, of which each has to be among the declared writes."""
    made = copy.deepcopy(dict(after))
    for edit in edits:
        try:
            path = parse_path(edit.path)
            _check_write(path, writes)
            _make(edit, path, made)
        except ValueError as error:
            raise ValueError(f"the edit of `{edit.path}` cannot be made: {error}") from None
        _prune(made)
    return made


def _check_write(path: Path, writes: Sequence[str]) -> None:
    declared = [write if write == "*" else parse_path(write).name for write in writes]
    for name in path.names():
        if not any(grant == "*" or is_under(name, grant) for grant in declared):
            raise ValueError(f"not granted: `{name}` is not among the declared writes")


def _make(edit: Edit, path: Path, document: dict[str, Any]) -> None:
    if any(":" in key and key.lower() == path.written.lower() for key in document):
        raise ValueError("native tests know no edits of a whole extension")
    container = document
    if path.urn and not is_core(path.urn):
        container = document.setdefault(_key(document, path.urn), {})
    key = _key(container, path.attribute)
    match edit.kind:
        case "set":
            container[key] = _set(container.get(key), path, edit.value)
        case "append":
            container[key] = _append(container.get(key), path, edit.value)
        case "remove":
            container[key] = _remove(container.get(key), path)
        case _:
            raise ValueError(f"there is no edit `{edit.kind}`")


def _set(value: Any, path: Path, wanted: Any) -> Any:
    if path.sub is None:
        if path.filter is not None:
            return _each_match(value, path, lambda _: wanted)
        return _merged(value, wanted) if isinstance(value, dict) and isinstance(wanted, dict) else wanted
    parts = {path.sub: wanted}

    def change(complex: Any) -> Any:
        return _merged(complex, parts) if isinstance(complex, dict) else complex

    if path.filter is not None:
        return _each_match(value, path, change)
    if isinstance(value, list):
        return [change(element) for element in value]
    if value is None:
        return [parts] if path.is_several else parts
    return change(value)


def _append(value: Any, path: Path, wanted: Any) -> list[Any]:
    if path.filter is not None or path.sub is not None or not isinstance(value, (list, type(None))):
        raise ValueError("it is no multi-valued attribute")
    if wanted is None or isinstance(wanted, list):
        raise ValueError("one value can be appended at a time, and no list")
    if value is None and not path.is_several:
        raise ValueError("native tests do not know whether it has several values")
    values = list(value or [])
    for place, old in enumerate(values):
        if _is_same(old, wanted):
            values[place] = {**old, **wanted} if isinstance(old, dict) else old
            return values
    return [*values, wanted]


def _is_same(old: Any, wanted: Any) -> bool:
    """A value of the same `value` and `type` is the same one."""
    if isinstance(old, dict) and isinstance(wanted, dict) and "value" in wanted:
        return all(old.get(name) == wanted.get(name) for name in ("value", "type"))
    return bool(old == wanted)


def _remove(value: Any, path: Path) -> Any:
    def take(part: Any) -> Any:
        if path.sub is None:
            return None
        return _merged(part, {path.sub: None}) if isinstance(part, dict) else part

    if path.filter is not None:
        return _each_match(value, path, take)
    return [take(element) for element in value] if isinstance(value, list) and path.sub is not None else take(value)


def _each_match(value: Any, path: Path, change: Change) -> Any:
    """Changes every value that the filter selects; there has to be one."""
    values = [] if value is None else elements(value)
    matches = [path.filter is None or path.filter.holds_of(element) for element in values]
    if not any(matches):
        raise ValueError("it selects no value, and native tests make none of a filter")
    changed = [change(element) if does else element for element, does in zip(values, matches, strict=True)]
    return changed if isinstance(value, list) else changed[0]


def _merged(complex: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(complex)
    for name, part in parts.items():
        made[_key(made, name)] = part
    return made


def _key(of: Mapping[str, Any], name: str) -> str:
    """The member's name as the object spells it."""
    return next((key for key in of if key.lower() == name.lower()), name)


def _prune(of: dict[str, Any]) -> None:
    """RFC 7643, 2.5: null, an empty list and an empty object are no value."""
    for name, value in list(of.items()):
        if isinstance(value, list):
            for element in value:
                if isinstance(element, dict):
                    _prune(element)
            of[name] = [element for element in value if not _is_nothing(element)]
        elif isinstance(value, dict):
            _prune(value)
        if _is_nothing(of[name]):
            del of[name]


def _is_nothing(value: Any) -> bool:
    return value is None or value == [] or value == {}
