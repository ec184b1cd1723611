"""Reference data that the tenant uploads beside the plugin.

Asked for with `tables`, and with `tables` in `tool.scruple.needs` of pyproject.toml. Keys are compared as they are. A table that is
granted and not there is an error, not an empty one.
"""

import json
from typing import Any

from ._platform import ask


def contains(table: str, key: str) -> bool:
    """Whether there is a row of the key."""
    return ask("tables").contains(table, key)


def get(table: str, key: str) -> Any | None:
    """The row: an object of texts where it was uploaded as CSV, an empty one in a plain list of keys."""
    row = ask("tables").get(table, key)
    return None if row is None else json.loads(row)
