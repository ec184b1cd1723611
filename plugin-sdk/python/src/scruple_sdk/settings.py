"""The settings of a constraint: a dataclass, of which the JSON Schema is made that a tenant sees."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

S = TypeVar("S")

_SIMPLE = {str: "string", bool: "boolean", int: "integer", float: "number"}


@dataclass(frozen=True)
class NoSettings:
    """The settings of a constraint that has none."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with settings: a JSON Pointer into them (`/attributes/0`; empty for all of them), and what."""

    pointer: str
    message: str


def setting(description: str, default: Any = MISSING, *, name: str | None = None, **rules: Any) -> Any:
    """A member of the settings. `rules` are keywords of JSON Schema: `minLength=1`, `minimum=0`.

    It has to be given unless it has a default. In JSON it has the member's name with large letters (`allowInactive` for
    `allow_inactive`), or `name`.
    """
    about = {"scruple": {"description": description, **rules}, "name": name}
    if isinstance(default, (list, dict)):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=about)
    return dataclasses.field(default=default, metadata=about)


def schema(of: type) -> dict[str, Any]:
    """JSON Schema (2020-12) of a dataclass."""
    hints = get_type_hints(of)
    properties, required = {}, []
    for member in fields(of):
        described = {**member.metadata.get("scruple", {}), **_schema_of(hints[member.name])}
        if _is_optional(member):
            default = member.default if member.default is not MISSING else member.default_factory()  # type: ignore[misc]
            if default is not None and not is_dataclass(default):
                described["default"] = default
        else:
            required.append(_json_name(member))
        properties[_json_name(member)] = described
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**made, "required": required} if required else made


def read(of: type[S], given: Any) -> S:
    """JSON as the dataclass. The host has checked it by the schema; here it is checked as far as that takes."""
    if not isinstance(given, dict):
        raise ValueError(f"{given!r} is no object")
    hints = get_type_hints(of)
    known = {_json_name(member): member for member in fields(of)}  # type: ignore[arg-type]
    if unknown := [name for name in given if name not in known]:
        raise ValueError(f"there is no `{unknown[0]}`")
    if missing := [name for name, member in known.items() if name not in given and not _is_optional(member)]:
        raise ValueError(f"`{missing[0]}` is missing")
    return of(**{known[name].name: _read(hints[known[name].name], value, name) for name, value in given.items()})


def _is_optional(member: dataclasses.Field[Any]) -> bool:
    return member.default is not MISSING or member.default_factory is not MISSING


def _json_name(member: dataclasses.Field[Any]) -> str:
    first, *rest = member.name.split("_")
    return member.metadata.get("name") or first + "".join(word.capitalize() for word in rest)


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """What a type is made of, with `T | None` as T."""
    if get_origin(hint) in (Union, types.UnionType):
        others = [part for part in get_args(hint) if part is not type(None)]
        if len(others) == 1:
            return _parts(others[0])
    return get_origin(hint) or hint, get_args(hint)


def _schema_of(hint: Any) -> dict[str, Any]:
    origin, parts = _parts(hint)
    if origin in _SIMPLE:
        return {"type": _SIMPLE[origin]}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (list, tuple):
        return {"type": "array", "items": _schema_of(parts[0])}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _schema_of(parts[1])}
    if is_dataclass(origin):
        return schema(typing.cast(type, origin))
    raise TypeError(f"settings cannot have a member of type {hint}: there are str, bool, int, float, Literal, list, tuple[T, ...], dict and dataclasses")


def _read(hint: Any, value: Any, where: str) -> Any:
    origin, parts = _parts(hint)
    if value is None and type(None) in get_args(hint):
        return None
    if origin is float and type(value) is int:
        return float(value)
    if origin in _SIMPLE:
        if type(value) is not origin:
            raise ValueError(f"`{where}` is {value!r}, which is no {origin.__name__}")
        return value
    if origin is Literal:
        if value not in parts:
            raise ValueError(f"`{where}` is {value!r}, and there are {', '.join(map(repr, parts))}")
        return value
    if origin in (list, tuple) and isinstance(value, list):
        return origin(_read(parts[0], item, f"{where}/{i}") for i, item in enumerate(value))
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {name: _read(parts[1], item, f"{where}/{name}") for name, item in value.items()}
    if is_dataclass(origin) and isinstance(value, dict):
        return read(typing.cast(type, origin), value)
    raise ValueError(f"`{where}` is {value!r}, which is of another type")
