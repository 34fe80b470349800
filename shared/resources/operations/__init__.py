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
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, quote

from shared.resources.operations.shapes import REFS
from shared.resources.operations.templates import Templates
from shared.resources.resource_name import segments_of, split_at_slashes

_DECISIONS = Path(__file__).with_name("decisions.tsv")
# GitHub once accepted credentials in the URL; they must never be stored.
_SECRET_PARAMETERS = frozenset({"access_token", "client_id", "client_secret", "token"})
# What GitHub takes instead of a name: the number of a repository, an organisation, an account. It
# does not document these paths, but redirects and links to them; all that lies below a name lies
# below the number too.
_BY_NUMBER = {
    "/repos/{owner}/{repo}": "/repositories/{repository_id}",
    "/orgs/{org}": "/organizations/{organization_id}",
    "/users/{username}": "/user/{account_id}",
}
# Paths of GitHub's that its list of operations lacks, though its bodies (`git_refs_url`,
# `statuses_url`, the `url` of a ref) or its texts ("if you omit `:ref`", "the original watcher
# endpoints") name them: each with the documented path whose decision it shares, and the id of its
# shape.
_UNLISTED = {
    "/repos/{owner}/{repo}/git/refs": (
        "/repos/{owner}/{repo}/git/matching-refs/{ref}",
        "git/list-matching-refs",
    ),
    # One ref, or all whose names begin so: its shape is `shapes.REFS`.
    "/repos/{owner}/{repo}/git/refs/{ref}": ("/repos/{owner}/{repo}/git/ref/{ref}", REFS),
    "/repos/{owner}/{repo}/statuses/{ref}": (
        "/repos/{owner}/{repo}/commits/{ref}/statuses",
        "repos/list-commit-statuses-for-ref",
    ),
    "/repos/{owner}/{repo}/tarball": (
        "/repos/{owner}/{repo}/tarball/{ref}",
        "repos/download-tarball-archive",
    ),
    "/repos/{owner}/{repo}/zipball": (
        "/repos/{owner}/{repo}/zipball/{ref}",
        "repos/download-zipball-archive",
    ),
    "/repos/{owner}/{repo}/watchers": (
        "/repos/{owner}/{repo}/stargazers",
        "activity/list-stargazers-for-repo",
    ),
}
# Ends of the paths after which GitHub ignores a slash: what would follow may be left out.
_BEFORE_SLASH = ("/contents/{path}", "/readme", "/readme/{dir}", "/tarball", "/zipball")


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

    @property
    def may_end_with_slash(self) -> bool:
        """Whether GitHub ignores a slash at the end of its path."""
        return self.path.endswith(_BEFORE_SLASH)

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


def operation_of(path: str) -> tuple[list[str], Operation | None]:
    """The segments of a path, and its operation; none if GitHub has no such path.

    GitHub ignores a slash at the end of a path of files or of an archive, and of no other.

    Args:
        path: as sent, percent-encoded or not.
    """
    segments = segments_of(path)
    if segments is not None:
        return segments, operation_at(segments)
    segments = segments_of(path.removesuffix("/")) or []
    operation = operation_at(segments) if segments else None
    if operation is None or not operation.may_end_with_slash:
        return [], None
    return segments, operation


def operation_at(segments: Sequence[str]) -> Operation | None:
    """The operation of a path; None if GitHub has no such path.

    GitHub may take a slash that was sent as `%2F` for one between segments. If that is a path of an
    operation that is refused, this path is refused with it.

    Args:
        segments: of the path, decoded; empty for `/`.
    """
    found = _templates().find(segments)
    pieces = split_at_slashes(segments)
    if found is None or len(pieces) == len(segments):
        return found
    other = _templates().find(pieces)
    return other if other is not None and other.decision is Decision.REFUSED else found


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
    documented = {operation.path: operation for operation in operations()}
    unlisted = [
        replace(documented[like], path=path, id=name) for path, (like, name) in _UNLISTED.items()
    ]
    known = [*operations(), *unlisted]
    numbered = filter(None, map(_by_number, known))
    return Templates((operation.path, operation) for operation in (*known, *numbered))


def _by_number(operation: Operation) -> Operation | None:
    """The same operation with a number instead of a name; None if its path has no such name."""
    for name, number in _BY_NUMBER.items():
        if operation.path == name or operation.path.startswith(f"{name}/"):
            ask = operation.ask.replace(name, number)
            return replace(operation, path=operation.path.replace(name, number), ask=ask)
    return None
