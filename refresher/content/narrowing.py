"""Cutting JSON down to its public shape: whatever a credential adds to it is dropped."""

from dataclasses import dataclass, field
from typing import Any, Final

from refresher.content.json_cutting import cut
from refresher.content.privacy_marks import Mark, hidden_marks, mark_of, marks_in
from shared.resources.operations.shapes import Shape

_DROPPED: Final = object()
_CONTAINERS: Final = frozenset({dict, list})  # what JSON is decoded to, and nothing below these


@dataclass
class Findings:
    """What was found while values were narrowed.

    Args:
        dropped: where keys were dropped that the shape lacks, as `owner.plan`.
        marks: of the objects that are left: who they are not for.
        free_marks: the same in what the shape says nothing of: a deployment's payload may say
            `private`, and mean anything by it.
        may_push: whether GitHub says that the credential may push to a repository.
        nulled: marks of the objects inside others that become null. Elsewhere they make the whole
            value doubtful; of a list that is read whole, an item is not lost for what it refers to.
    """

    dropped: set[str] = field(default_factory=set)
    marks: Mark = Mark.NONE
    free_marks: Mark = Mark.NONE
    may_push: bool = False
    nulled: Mark = Mark.NONE

    def add(self, other: "Findings") -> None:
        """Take over what was found elsewhere."""
        self.dropped |= other.dropped
        self.marks |= other.marks
        self.free_marks |= other.free_marks
        self.may_push = self.may_push or other.may_push

    def hides(self, *, include_private: bool) -> bool:
        """Whether something is left that is not for everyone.

        Args:
            include_private: private repositories are let in.
        """
        return bool(self.marks & hidden_marks(include_private=include_private))


class UnfitError(ValueError):
    """A value is of another shape altogether: a list where an object should be, or the reverse."""


def narrowed(text: str, value: Any, shape: Shape, findings: Findings) -> tuple[str, Any]:
    """What an anonymous client sees of a JSON text, and its value.

    What is let through keeps its bytes and its order, so that the text is the same whoever asked.

    Args:
        text: as GitHub sent it.
        value: the same, decoded.
        shape: what is let through.
        findings: what was found is added to it.

    Raises:
        UnfitError: the whole value is not of that shape.
    """
    left = _narrow(value, shape, "", findings)
    if left is _DROPPED:
        raise UnfitError
    return (text if left is value else cut(text, value, left)), left


def _narrow(value: Any, shape: Shape, at: str, findings: Findings) -> Any:
    """The value less what the shape lacks; the very same object where it lacks nothing."""
    if value is None or shape.is_null:
        return None
    if shape.is_free:
        findings.free_marks |= marks_in(value)
        return value
    if isinstance(value, dict):
        return _narrow_object(value, shape, at, findings)
    if isinstance(value, list):
        return _narrow_list(value, shape, at, findings)
    return value


def _narrow_object(value: dict[str, Any], shape: Shape, at: str, findings: Findings) -> Any:
    if shape.members is None:
        findings.dropped.add(at)
        return _DROPPED
    mark = mark_of(value)
    if at and mark & findings.nulled:
        return None
    findings.marks |= mark
    findings.may_push = findings.may_push or _may_push(value)
    changed: dict[str, Any] = {}
    if shape.others is None:
        for key in value.keys() - shape.members.keys():
            findings.dropped.add(_below(at, key))
            changed[key] = _DROPPED
    # Scalars stay as they are, wherever they stand; most members are.
    keys = [key for key, one in value.items() if type(one) in _CONTAINERS]
    for key in (*keys, *(shape.nulls & value.keys())):
        of_key = shape.members.get(key) or shape.others
        if of_key is not None:  # else it is dropped already
            left = _narrow(value[key], of_key, _below(at, key), findings)
            if left is not value[key]:
                changed[key] = left
    if not changed:
        return value
    public = {**value, **changed}  # in GitHub's order
    for key, left in changed.items():
        if left is _DROPPED:
            del public[key]
    return public


def _narrow_list(value: list[Any], shape: Shape, at: str, findings: Findings) -> Any:
    if shape.items is None:
        findings.dropped.add(at)
        return _DROPPED
    narrowed_items = (_narrow(one, shape.items, at, findings) for one in value)
    left = [None if one is _DROPPED else one for one in narrowed_items]
    if all(after is before for after, before in zip(left, value, strict=True)):
        return value
    return left


def _may_push(value: dict[str, Any]) -> bool:
    permissions = value.get("permissions")
    return isinstance(permissions, dict) and permissions.get("push") is True


def _below(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
