"""Diagnostics for the author, in the host's log. Put no personal values here."""

from ._platform import ask


def debug(message: str) -> None:
    """For when something is looked for."""
    ask("log").write("debug", message)


def info(message: str) -> None:
    """What is worth knowing."""
    ask("log").write("info", message)


def warning(message: str) -> None:
    """What may be wrong."""
    ask("log").write("warning", message)


def error(message: str) -> None:
    """What is wrong."""
    ask("log").write("error", message)
