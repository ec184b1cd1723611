"""Write a constraint for Scruple. Start at `Constraint`; the README has a whole one with its test."""

from . import directory, filters, log, report, tables
from .constraint import Constraint, Rewriter
from .document import Document, ReadError, Value
from .operation import Action, Actor, Difference, Operation
from .rewriting import Draft, Edit
from .settings import NoSettings, Problem, setting
from .verdict import Allow, Deny, Hold, NotApplicable, Reason, ScimType, Verdict, deny_any

__all__ = [
    "Action", "Actor", "Allow", "Constraint", "Deny", "Difference", "Document", "Draft", "Edit", "Hold", "NoSettings",
    "NotApplicable", "Operation", "Problem", "ReadError", "Reason", "Rewriter", "ScimType", "Value", "Verdict", "deny_any",
    "directory", "filters", "log", "report", "setting", "tables",
]
