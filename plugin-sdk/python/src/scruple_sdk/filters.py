"""Filters out of other people's text."""

import json
from collections.abc import Iterable


def quoted(text: str) -> str:
    """A text as it stands in a filter, in quotes."""
    return json.dumps(text, ensure_ascii=False)


def equals(path: str, text: str) -> str:
    """`path eq "text"`."""
    return f"{path} eq {quoted(text)}"


def equals_any(path: str, texts: Iterable[str]) -> str | None:
    """`path eq "one" or path eq "other"`; None if there are no texts, since no filter means "nothing"."""
    return " or ".join(equals(path, text) for text in texts) or None
