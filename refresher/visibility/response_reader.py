"""Reads a single response of GitHub's, so that only its public part is stored."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from refresher.content import content as contents
from refresher.content import pagination
from refresher.content.content import Content
from refresher.content.narrowing import Findings
from refresher.content.page import Page, Unchanged, ask
from refresher.errors import OriginError
from refresher.github import response_outcomes as means
from refresher.github.response import GitHubResponse
from refresher.github.response_decision import decision_on, error_of, next_look
from refresher.storage.page_store import KnownPages
from refresher.visibility.access import Access
from refresher.visibility.askers import ANONYMOUS_ONLY, Askers
from shared.clock import Clock


class FindingsLog(Protocol):
    """Receives what responses contain besides public data; must not raise `OriginError`."""

    def note_findings(self, response: GitHubResponse, findings: Findings) -> None:
        """Record the findings of a response."""


@dataclass(frozen=True)
class PublicContent:
    """Content to store.

    Args:
        content: the public content.
        is_of_a_credential: a credential was used, so the repository above must be public still if
            anything of it is new.
    """

    content: Content | Unchanged
    is_of_a_credential: bool = False


@dataclass(frozen=True)
class ResponseReader:
    """Reads one response, with a credential that sees only its public part.

    Args:
        access: who may request it.
        findings_log: receives the findings of each response that was narrowed.
        clock: the process's clock.
        patience: seconds to wait for content that GitHub is still computing.
        links: `Link` of the stored entry, as (relation, query) pairs.
    """

    access: Access
    findings_log: FindingsLog
    clock: Clock
    patience: float = 0
    links: Sequence[tuple[str, str]] = ()

    def read(self, known: KnownPages, askers: Askers) -> PublicContent:
        """Read the public content.

        Args:
            known: the stored page; empty to read without a condition.
            askers: the credentials that may be used.

        Raises:
            OriginError: GitHub sent nothing that can be stored.
        """
        access = self.access
        url = access.origin.url_of(access.question.target)
        page = next((page for page in known.pages if page.url == url), None)
        try:
            response, outcome = self._response(url, page, askers.among)
        except OriginError as error:
            is_answer = error.not_served_because is not None
            if not is_answer or not access.may_be_private or askers == ANONYMOUS_ONLY:
                raise
            return self._read_anonymously()
        is_no_content = isinstance(outcome, means.Negative | means.NotReady | means.Archive)
        if access.is_elsewhere(response) or (is_no_content and access.is_told_to_some(response)):
            return self._read_anonymously()
        match outcome:
            case means.NotModified() if page is not None:
                return self._unchanged(page, response, askers)
            case means.NotReady(seconds):
                return PublicContent(contents.not_ready(seconds), not response.is_anonymous)
            case means.Archive(location):
                return PublicContent(contents.of_archive(location), not response.is_anonymous)
            case means.Success() | means.Negative():
                return self._public_part(response, Page.of(response, url), askers)
            case (
                means.NotModified()
                | means.Moved()
                | means.Elsewhere()
                | means.CredentialRefused()
                | means.Limited()
                | means.Failed()
            ):
                raise error_of(outcome, response.status)
        assert_never(outcome)

    def _response(
        self, url: str, page: Page | None, among: Collection[str] | None
    ) -> tuple[GitHubResponse, means.ResponseOutcome]:
        """GitHub's response and what it means; of a 202, the last one that is waited for."""
        question, waited = self.access.question, 0.0
        while True:
            response = self._ask(url, page, among)
            outcome = decision_on(
                response,
                base=self.access.origin.base,
                outlives_errors=question.outlives_errors,
                media=question.media,
                now=self.clock.now(),
            )
            if not isinstance(outcome, means.NotReady):
                return response, outcome
            pause = next_look(outcome, waited=waited, patience=self.patience)
            if pause is None:
                return response, outcome
            self.clock.sleep(pause)
            waited += pause

    def _unchanged(self, page: Page, response: GitHubResponse, askers: Askers) -> PublicContent:
        """What a 304 tells: that the body is current, and perhaps another `Link` than before."""
        links = contents.links_of(response)
        if not response.links or links == list(self.links):
            return PublicContent(Unchanged([page.confirmed(response)]))
        if not self.access.is_confirmed(askers, response):
            return self._read_anonymously()
        unchanged = Unchanged([page.confirmed(response)], links)
        return PublicContent(unchanged, not response.is_anonymous)

    def _public_part(self, response: GitHubResponse, page: Page, askers: Askers) -> PublicContent:
        """The public part of a response; if only GitHub knows it, of one without a credential."""
        access, question = self.access, self.access.question
        findings = Findings()
        content = contents.of_response(
            response, page, question=question, is_object=question.outlives_errors, findings=findings
        )
        self.findings_log.note_findings(response, findings)
        if content.status != response.status:  # private, and so a 404 for everyone else
            return PublicContent(content)
        is_hidden = findings.hides(include_private=question.include_private)
        is_hidden = is_hidden or access.is_doubtful(response, findings)
        if not is_hidden and access.is_confirmed(askers, response):
            return PublicContent(content, not response.is_anonymous)
        if response.is_anonymous or askers.is_below_private:
            content = contents.without_hidden(
                content, shape=question.shape, include_private=askers.is_below_private
            )
            return PublicContent(content)
        return self._read_anonymously()

    def _ask(self, url: str, page: Page | None, among: Collection[str] | None) -> GitHubResponse:
        """The response, which tells whether a page follows: see `_may_continue`."""
        origin = self.access.origin
        response = ask(origin, url, page, page.validator if page else None, among=among)
        if page is None or response.status != 304 or not _may_continue(page, response):
            return response
        return ask(origin, url, page, None, among=among)

    def _read_anonymously(self) -> PublicContent:
        """Repeat the request without a credential: only GitHub knows which part is public."""
        return self.read(KnownPages(), ANONYMOUS_ONLY)


def _may_continue(page: Page, response: GitHubResponse) -> bool:
    """Whether a 304 hides that there is a next page now.

    GitHub's ETag covers the body only. If the 304 lacks `Link`, only an unconditional request
    tells whether another page follows a full last one.

    Args:
        page: the stored page.
        response: the 304.
    """
    return pagination.is_mute(response) and page.next_url is None and pagination.is_full(page)
