"""Other resources of the same tenant, as they stand before this operation.

Asked for with `looks_up`, and with `directory` in `tool.scruple.needs` of pyproject.toml. The decision is committed only if every
answer still holds then.
"""

from ._platform import ask
from .document import Document


def get(resource_type: str, id: str) -> Document | None:
    """One resource by its id."""
    found = ask("directory").get(resource_type, id)
    return None if found is None else Document(found)


def find(resource_type: str, filter: str, limit: int) -> list[Document]:
    """Those that match a SCIM filter, by id, at most `limit` and never more than 100."""
    return [Document(found) for found in ask("directory").find(resource_type, filter, limit)]


def count(resource_type: str, filter: str) -> int:
    """How many match a SCIM filter."""
    return ask("directory").count(resource_type, filter)


def exists(resource_type: str, filter: str) -> bool:
    """Whether any matches. Costs no more when many do, where `count` does."""
    return bool(find(resource_type, filter, 1))


def is_member(group_id: str, member_id: str, *, transitive: bool = False) -> bool:
    """Whether the member belongs to the group, through groups in it if asked."""
    return ask("directory").is_member(group_id, member_id, transitive)
