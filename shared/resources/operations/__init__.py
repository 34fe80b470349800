"""The public part of GitHub's REST API: a decision for each documented GET operation.

`decisions.tsv` is the allow list: a path that matches none of its rows does not exist here. Readers
refuse by it, and refreshers choose by it how to ask GitHub. The keys of a body that an anonymous
client sees are in `shapes.json` (see `shared.resources.operations.shapes`).

Columns of `decisions.tsv`, tab-separated:

==============  ===============================================================================
path            GitHub's template of the path
operation       GitHub's id of the operation
decision        `anyone`, `anonymously`, `own` or `refused`: see `Decision`
why             the reason, in a few words
public_because  GitHub's sentence that says so, or `stand-in`: the property test over the
                stand-in GitHub shows it
ask             the template of the path to request instead; empty for the same
also_with       `anonymously` only: a credential that may be used as well, see `AlsoWith`
refused_query   query parameters, comma-separated, that request what only some may see
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
# GitHub once accepted credentials in the URL; they must never be stored.
_SECRET_PARAMETERS = frozenset({"access_token", "client_id", "client_secret", "token"})


class Decision(StrEnum):
    """Who may see the response of an operation."""

    ANYONE = "anyone"  # public as a whole: a credential may be used, and the body is narrowed
    ANONYMOUSLY = "anonymously"  # a credential would see more: requested without one
    OWN = "own"  # readers answer it themselves; GitHub is never asked
    REFUSED = "refused"  # not served


_ASKED = frozenset({Decision.ANYONE, Decision.ANONYMOUSLY})


class AlsoWith(StrEnum):
    """The credential that sees no more than the public of an `anonymously` operation."""

    NOBODY = ""
    SCOPELESS = "scopeless"  # a classic token without any scope
    NO_MEMBERS = "no-members"  # scopeless, or a GitHub App's that may not read members
    NO_PUSH = "no-push"  # one for which the repository's response says `permissions.push: false`


@dataclass(frozen=True)
class Operation:
    """A row of the table.

    Args:
        path: GitHub's template, with parameters in braces.
        id: GitHub's id.
        decision: who may see it.
        why: the reason, for people.
        public_because: the evidence.
        ask: the template of the path to request instead; empty for `path`.
        also_with: the credential that may be used; none, if empty.
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
        """Whether a query is allowed: it must not hold a secret either."""
        return not (self.refused_in(query) or holds_secret(query))

    def refused_in(self, query: str) -> frozenset[str]:
        """The parameters of a query that are refused, in lower case."""
        return self.refused_query & _names_in(query)

    @property
    def is_asked(self) -> bool:
        """Whether GitHub may be asked for it."""
        return self.decision in _ASKED

    def admits(self, query: str) -> bool:
        """Whether GitHub may be asked for this operation with this query."""
        return self.is_asked and self.allows(query)

    def path_to_ask(self, path: str) -> str:
        """The path to request from GitHub for a client's `path`, percent-encoded."""
        if not self.ask:
            return path
        names = [name for name in self.path.split("/") if name.startswith("{")]
        values = [
            value
            for value, name in zip(path.split("/"), self.path.split("/"), strict=True)
            if name.startswith("{")
        ]
        result = self.ask
        for name, value in zip(names, values, strict=True):
            result = result.replace(name, quote(value, safe="%"))
        return result


def holds_secret(query: str) -> bool:
    """Whether a query has a parameter in which GitHub once took credentials."""
    return not _SECRET_PARAMETERS.isdisjoint(_names_in(query))


@cache
def operations() -> tuple[Operation, ...]:
    """All documented GET operations, in the file's order."""
    _, *lines = _DECISIONS.read_text(encoding="utf-8").splitlines()
    return tuple(map(_operation, lines))


def operation_at(segments: Sequence[str]) -> Operation | None:
    """The operation of a path; None if GitHub does not document such a path.

    Args:
        segments: of the path, decoded; empty for `/`.
    """
    return _templates().find(segments)


def _names_in(query: str) -> frozenset[str]:
    return frozenset(name.lower() for name, _ in parse_qsl(query, keep_blank_values=True))


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
