"""What a page shows clients, as digests, and which differences are drift. Pure.

A page is compared by what the cache would make of it: without non-public parts and private items,
by the rules of a refresh. Content that is only older than GitHub's is no drift: it is fresh for its
lifetime. So a difference counts if GitHub has confirmed the stored content after it was seen:

    compare: stored A, GitHub B | a refresh: 304, A stays | compare: stored A, GitHub B -> drift
    compare: stored A, GitHub B | a refresh: stores B or C                              -> none
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from hashlib import sha256

from refresher.content.content import of_response
from refresher.content.items import split
from refresher.content.narrowing import Findings
from refresher.content.page import Page
from refresher.errors import OriginError
from refresher.github import response_outcomes as means
from refresher.github.question import Question
from refresher.github.response import GitHubResponse
from refresher.github.response_decision import decision_on, error_of
from shared.resources.resource import Resource
from shared.segments import DIGEST_SIZE

# The digest of each public item of a list's page by the item's id, as text; of anything else, of
# the whole.
Digests = Mapping[str, str]
WHOLE = ""


def shown_by(
    response: GitHubResponse, page: Page, resource: Resource, question: Question
) -> Digests:
    """What GitHub's response to an unconditional request shows clients.

    Args:
        response: content or an error about the resource.
        page: the stored page that was requested again.
        resource: that is compared.
        question: its request.

    Raises:
        OriginError: the response is neither.
    """
    shape = question.shape.items
    if response.status == 200 and resource.kind.is_expanded and shape is not None:
        private = resource.include_private
        items = split(response.body, shape, Findings(), kind=resource.kind, private=private)
        return {str(item.id): item.digest for item in items if not item.private}
    content = of_response(
        response, page, question=question, is_object=question.outlives_errors, findings=Findings()
    )
    return {WHOLE: sha256(b"%d " % content.status + content.body).hexdigest()}


def shown_by_stored(
    page: Page, resource: Resource, question: Question, response: GitHubResponse
) -> Digests | None:
    """What a stored page shows clients; None if that cannot be said.

    Args:
        page: the stored page.
        resource: that is compared.
        question: its request.
        response: GitHub's, for the same page: of its header fields, the media type counts.

    Raises:
        StoredPageError: the page is damaged or gone.
    """
    if not resource.kind.is_expanded:
        stored = replace(response, status=200, body=page.body.unpacked())
        try:
            return shown_by(stored, page, resource, question)
        except OriginError:
            return None
    index = page.load_index()
    if index is None:
        return None
    digests = (
        index.digests[at : at + DIGEST_SIZE].hex()
        for at in range(0, len(index.digests), DIGEST_SIZE)
    )
    rows = zip(index.ids, digests, index.hidden, strict=True)
    return {str(identity): digest for identity, digest, is_hidden in rows if not is_hidden}


def check_is_content(response: GitHubResponse, question: Question, base: str, now: float) -> None:
    """Check that a response is content, or an error of GitHub's about the resource.

    Args:
        response: to an unconditional request.
        question: the request.
        base: of the API.
        now: Unix time in seconds.

    Raises:
        OriginError: it is not.
    """
    outcome = decision_on(
        response, base=base, outlives_errors=question.outlives_errors, media=question.media, now=now
    )
    if not isinstance(outcome, means.Success | means.Negative):
        raise error_of(outcome, response.status)


# Id, digest of what is stored, digest of what GitHub shows; None for an item that is not there.
Difference = tuple[str, str | None, str | None]


def differences(stored: Digests, shown: Digests) -> list[Difference]:
    """Where two readings of a page differ."""
    names = dict.fromkeys([*stored, *shown])
    pairs = [(name, stored.get(name), shown.get(name)) for name in names]
    return [one for one in pairs if one[1] != one[2]]


def lasting(before: Collection[Difference], stored: Digests, shown: Digests) -> list[str]:
    """The ids of what has stayed as it was, although GitHub shows something else, now and before.

    Args:
        before: the differences, from before GitHub confirmed what is stored.
        stored: what is stored now.
        shown: what GitHub shows now.
    """
    return [
        name for name, then, _ in before if stored.get(name) == then and shown.get(name) != then
    ]
