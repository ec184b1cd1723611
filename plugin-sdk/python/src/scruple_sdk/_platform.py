"""Whoever answers: the host through the contract (`component`), or the double of `testing`.

Both offer the interfaces of the contract by their names, with functions named as Python names them.
"""

from types import SimpleNamespace
from typing import Any

_current: SimpleNamespace | None = None


def enter(platform: SimpleNamespace | None) -> SimpleNamespace | None:
    """Lets this platform answer from now on; gives the one that did before."""
    global _current
    before, _current = _current, platform
    return before


def ask(name: str) -> Any:
    """An interface of the contract."""
    if _current is None:
        raise RuntimeError("there is nobody to ask: call this while a constraint is evaluated")
    answers = getattr(_current, name, None)
    if answers is None:
        raise RuntimeError(f"this plugin does not import `{name}`: put it into `tool.scruple.needs` of its pyproject.toml")
    return answers
