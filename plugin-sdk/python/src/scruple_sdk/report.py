"""Say more than the verdict. Nothing here changes the outcome."""

from ._platform import ask
from .verdict import Reason


def warn(reason: Reason) -> None:
    """Tells the client without refusing: a header of the response, and the decision log."""
    ask("report").warn(reason)


def note(key: str, value: str) -> None:
    """Puts a fact into the decision log: what the rule concluded on the way."""
    ask("report").note(key, value)
