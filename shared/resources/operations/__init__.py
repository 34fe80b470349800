"""What of GitHub's REST API is public: a decision for each documented operation.

`decisions.tsv` is the allow list: a path that matches none of its rows does not exist here. The
readers refuse by it, and the refreshers ask by it. What an anonymous client sees of a body is in
`shapes.json` (see `shared.resources.operations.shapes`).

Columns of `decisions.tsv`, tab-separated:

==============  ===============================================================================
path            GitHub's template of the path
operation       GitHub's id of the operation
decision        `anyone`, `anonymously` or `refused`: see `Decision`
why             the reason, in a few words
public_because  GitHub's sentence that says so, or `stand-in`: the property test over the
                stand-in GitHub shows it
ask             the template that is asked instead; empty for the same
also_with       `anonymously` only: a credential that may ask as well, see `AlsoWith`
refused_query   query parameters, comma-separated, that ask for what only some may see
==============  ===============================================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, quote

from shared.resources.operations.templates import Templates

_DECISIONS = Path(__file__).with_name("decisions.tsv")
# GitHub once took credentials in the URL; they are never to be stored.
_SECRET_PARAMETERS = frozenset({"access_token", "client_id", "client_secret", "token"})


class Decision(StrEnum):
    """Who may see what an operation answers."""

    ANYONE = "anyone"  # public as a whole: a credential may be used, and its body is narrowed
    ANONYMOUSLY = "anonymously"  # a credential would see more: asked without one
    REFUSED = "refused"  # not served


class AlsoWith(StrEnum):
    """Which credential is known to see no more than the public of an `anonymously` operation."""

    NOBODY = ""
    SCOPELESS = "scopeless"  # a classic token without any scope
    NO_MEMBERS = "no-members"  # scopeless, or a GitHub App's that may not read members
    NO_PUSH = "no-push"  # one to which the repository's own answer says `permissions.push: false`


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Args:
        path: GitHub's template, with parameters in braces.
        id: GitHub's id.
        decision: who may see it.
        why: the reason, for people.
        public_because: what shows it.
        ask: the template that is asked instead; empty for `path`.
        also_with: the credential that may ask besides nobody's.
        refused_query: names of query parameters that are refused, in lower case.
    """

    path: str
    id: str
    decision: Decision
    why: str
    public_because: str
    ask: str = ""
    also_with: AlsoWith = AlsoWith.NOBODY
    refused_query: frozenset[str] = frozenset()

    def allows(self, query: str) -> bool:
        """Whether it may be asked with a query, which must not hold a secret either."""
        names = {name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)}
        return names.isdisjoint(_SECRET_PARAMETERS | self.refused_query)

    def path_to_ask(self, path: str) -> str:
        """The path that GitHub is asked for when a client asks for `path`, percent-encoded."""
        if not self.ask:
            return path
        names = [name for name in self.path.split("/") if name.startswith("{")]
        values = [
            value
            for value, name in zip(path.split("/"), self.path.split("/"), strict=True)
            if name.startswith("{")
        ]
        asked = self.ask
        for name, value in zip(names, values, strict=True):
            asked = asked.replace(name, quote(value, safe="%"))
        return asked


@cache
def operations() -> tuple[Operation, ...]:
    """Every documented GET operation, in the file's order."""
    _, *lines = _DECISIONS.read_text(encoding="utf-8").splitlines()
    return tuple(map(_operation, lines))


def operation_at(segments: Sequence[str]) -> Operation | None:
    """The operation that a path names; None for a path that GitHub does not document.

    Args:
        segments: of the path, decoded; none for `/`.
    """
    return _templates().find(segments)


def _operation(line: str) -> Operation:
    path, name, decision, why, public_because, ask, also_with, refused = line.split("\t")
    return Operation(
        path,
        name,
        Decision(decision),
        why,
        public_because,
        ask,
        AlsoWith(also_with),
        frozenset(filter(None, refused.lower().split(","))),
    )


@cache
def _templates() -> Templates[Operation]:
    return Templates((operation.path, operation) for operation in operations())
