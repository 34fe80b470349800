"""What a response of GitHub's may mean: the types of what `response_decision` decides."""

from dataclasses import dataclass

from refresher.github.refusal_words import Scope
from shared.outcomes import FailureKind


@dataclass(frozen=True)
class NotModified:
    """The stored content is current."""


@dataclass(frozen=True)
class Success:
    """The body is the content; a 204 has no body."""


@dataclass(frozen=True)
class NotReady:
    """GitHub is still computing the content.

    Args:
        retry_after: seconds until another request is useful.
        is_asked: GitHub has named them.
    """

    retry_after: float
    is_asked: bool = False


@dataclass(frozen=True)
class Moved:
    """The resource is at another address of the API.

    Args:
        url: the address.
        is_permanent: it will stay there.
    """

    url: str
    is_permanent: bool


@dataclass(frozen=True)
class Archive:
    """An archive of a repository lies on another host.

    Args:
        location: its address, without a token.
    """

    location: str


@dataclass(frozen=True)
class Elsewhere:
    """The redirect leads to a host that is not asked."""


@dataclass(frozen=True)
class Negative:
    """An error that is GitHub's answer about the resource."""


@dataclass(frozen=True)
class CredentialRefused:
    """GitHub does not accept this credential here; another one may be accepted.

    Args:
        scope: how far that reaches.
        message: GitHub's, in one line.
    """

    scope: Scope
    message: str


@dataclass(frozen=True)
class Limited:
    """A rate limit was met.

    Args:
        is_secondary: it concerns the whole fleet; else it is the credential's own.
        pause: seconds to wait.
    """

    is_secondary: bool
    pause: float


@dataclass(frozen=True)
class Failed:
    """The response says nothing about the resource.

    Args:
        kind: of the failure.
        reason: one line for a person.
        retry_after: seconds that GitHub asks us to wait; None if it does not.
    """

    kind: FailureKind
    reason: str
    retry_after: float | None = None


ResponseOutcome = (
    NotModified
    | Success
    | NotReady
    | Moved
    | Archive
    | Elsewhere
    | Negative
    | CredentialRefused
    | Limited
    | Failed
)
