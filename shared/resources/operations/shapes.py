"""The public shapes: the keys of each operation's JSON that an anonymous client sees.

`shapes.json` is generated from GitHub's description by `python -m scripts.public_shapes`:

==========  ===================================================================================
member      meaning
==========  ===================================================================================
shapes      shapes by name, GitHub's schemas
operations  the shape of each operation's body, by GitHub's id of the operation
withheld    names of keys that only some clients see, `*` for any text in them: they are dropped
            silently
==========  ===================================================================================

A shape is `"-"` (a scalar), `"*"` (anything), `"0"` (the key stays, its value is always null), the
name of another shape, `[shape]` (a list), or an object: only its keys pass. Among them,
`"*"` is the shape of the values of all other keys, and `"[]"` that of the items if the value may
also be a list.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

_SHAPES = Path(__file__).with_name("shapes.json")


@dataclass(eq=False)
class Shape:
    """The part of a value that passes; null always does.

    Args:
        members: of an object, by key; None if no object may pass.
        others: of an object, the shape of values whose key is not among `members`.
        items: of a list; None if no list may pass.
        is_free: anything passes.
        is_null: nothing passes: the value becomes null.
    """

    members: dict[str, "Shape"] | None = None
    others: "Shape | None" = None
    items: "Shape | None" = None
    is_free: bool = False
    is_null: bool = False

    @cached_property
    def is_scalar(self) -> bool:
        """Whether neither an object nor a list may pass."""
        return not (self.is_free or self.is_null) and self.members is None and self.items is None

    @cached_property
    def nulls(self) -> frozenset[str]:
        """The members whose value is always null."""
        return frozenset(key for key, shape in (self.members or {}).items() if shape.is_null)


# The id of an operation that GitHub does not describe: one ref, or a list of refs.
REFS = "git/refs"

SCALAR = Shape()
FREE = Shape(is_free=True)
NULL = Shape(is_null=True)
_SIMPLE = {"-": SCALAR, "*": FREE, "0": NULL}

# GitHub's error bodies; `block` says why something was taken down (451).
ERROR = Shape(
    {
        **dict.fromkeys(("message", "documentation_url", "status"), SCALAR),
        "errors": FREE,
        "block": Shape(dict.fromkeys(("reason", "created_at", "html_url"), SCALAR)),
    }
)


@dataclass(frozen=True)
class Shapes:
    """All of `shapes.json`.

    Args:
        operations: the shape of each operation's body, by the operation's id.
        withheld: keys that are dropped silently, `*` for any text in them.
        digest: of the file; identifies its version.
    """

    operations: dict[str, Shape] = field(default_factory=dict)
    withheld: Sequence[str] = ()
    digest: str = ""

    def is_withheld(self, place: str) -> bool:
        """Whether only some clients see the key at a place such as `owner.plan`."""
        key = place.rpartition(".")[2]
        return any(fnmatchcase(key, pattern) for pattern in self.withheld)


@cache
def public_shapes() -> Shapes:
    """The shapes in `shapes.json`."""
    text = _SHAPES.read_bytes()
    return replace(shapes_from(json.loads(text)), digest=hashlib.sha256(text).hexdigest()[:16])


def shapes_from(content: dict[str, Any]) -> Shapes:
    """The shapes in the form of `shapes.json`.

    Raises:
        KeyError: a shape that is referred to is missing.
    """
    names: dict[str, Any] = content["shapes"]
    made: dict[str, Shape] = {}

    def shape_of(written: Any) -> Shape:
        if isinstance(written, str):
            if written in _SIMPLE:
                return _SIMPLE[written]
            if written not in made:
                shape = made[written] = Shape()  # before it is filled: it may hold itself
                vars(shape).update(vars(shape_of(names[written])))
            return made[written]
        if isinstance(written, list):
            return Shape(items=shape_of(written[0]))
        members = {key: shape_of(one) for key, one in written.items() if key not in {"*", "[]"}}
        others, items = (shape_of(written[k]) if k in written else None for k in ("*", "[]"))
        return Shape(members, others, items)

    operations = {operation: shape_of(one) for operation, one in content["operations"].items()}
    ref = operations.get("git/get-ref", SCALAR)
    operations[REFS] = replace(ref, items=ref)
    return Shapes(operations, tuple(content.get("withheld", ())))
