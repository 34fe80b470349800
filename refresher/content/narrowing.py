"""Reduces JSON to its public shape: drops everything that a credential adds."""

from dataclasses import dataclass, field
from typing import Any, Final

from refresher.content.json_cutting import cut
from refresher.content.privacy_marks import Mark, hidden_marks, mark_of, marks_in
from shared.resources.operations.shapes import Shape

_DROPPED: Final = object()
_CONTAINERS: Final = frozenset({dict, list})  # exactly these types: JSON decodes to no subclass


@dataclass
class Findings:
    """What was found while values were narrowed.

    Args:
        dropped: fields that were dropped because the shape lacks them, such as `owner.plan`.
        marks: visibility marks of the objects that are left.
        free_marks: marks in free-form parts, which the shape does not describe. A deployment's
            payload may contain `private` with any meaning.
        may_push: whether GitHub says that the credential may push to a repository.
        nulled: nested objects with these marks become null. For other values a marked nested object
            makes the whole value doubtful. An item of an expanded list is not dropped because of an
            object that it refers to.
    """

    dropped: set[str] = field(default_factory=set)
    marks: Mark = Mark.NONE
    free_marks: Mark = Mark.NONE
    may_push: bool = False
    nulled: Mark = Mark.NONE

    def add(self, other: "Findings") -> None:
        """Add the findings of another value."""
        self.dropped |= other.dropped
        self.marks |= other.marks
        self.free_marks |= other.free_marks
        self.may_push = self.may_push or other.may_push

    def hides(self, *, include_private: bool) -> bool:
        """Whether a non-public object is left.

        Args:
            include_private: private repositories are admitted.
        """
        return bool(self.marks & hidden_marks(include_private=include_private))


class UnfitError(ValueError):
    """A value has an entirely different shape: a list instead of an object, or the reverse."""


def narrowed(text: str, value: Any, shape: Shape, findings: Findings) -> tuple[str, Any]:
    """The part of a JSON text that an anonymous client sees, and its value.

    What remains keeps its bytes and its order, so the text is the same for every credential.

    Args:
        text: as GitHub sent it.
        value: the same, decoded.
        shape: the public shape.
        findings: findings are added to it.

    Raises:
        UnfitError: the value as a whole does not have that shape.
    """
    left = _narrow(value, shape, "", findings)
    if left is _DROPPED:
        raise UnfitError
    return (text if left is value else cut(text, value, left)), left


def _narrow(value: Any, shape: Shape, at: str, findings: Findings) -> Any:
    """The value without what the shape lacks; the identical object if nothing was dropped."""
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
    # Scalars, which most members are, stay as they are.
    keys = [key for key, one in value.items() if type(one) in _CONTAINERS]
    for key in (*keys, *(shape.nulls & value.keys())):
        of_key = shape.members.get(key) or shape.others
        if of_key is not None:  # otherwise it is dropped already
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
