"""Reads a single response of GitHub's, so that only its public part is stored."""

from dataclasses import dataclass
from typing import Protocol, assert_never

from refresher.content import content as contents
from refresher.content.content import Content
from refresher.content.narrowing import Findings
from refresher.content.page import Page, Unchanged, ask
from refresher.github import response_check
from refresher.github.client import GitHubClient
from refresher.github.question import Question
from refresher.github.request_headers import MEDIA_TYPE
from refresher.github.response import GitHubResponse
from refresher.storage.page_store import KnownPages
from refresher.visibility.askers import (
    ANONYMOUS_ONLY,
    ANY,
    BELOW_PRIVATE,
    Askers,
    may_not_push,
    stays_below,
)
from refresher.visibility.parent_repository import Parent
from refresher.visibility.privileges import Privileges
from shared.clock import Clock
from shared.resources.operations import AlsoWith


class FindingsLog(Protocol):
    """Receives what responses contain besides public data; must not raise `OriginError`."""

    def note_findings(self, response: GitHubResponse, findings: Findings) -> None:
        """Record the findings of a response."""


@dataclass(frozen=True)
class ResponseReader:
    """Reads one response, with a credential that sees only its public part.

    Args:
        question: the request.
        origin: GitHub.
        parent: the repository that the resource lies below; None if it lies below none.
        privileges: what is known about the credentials.
        findings_log: receives the findings of each response that was narrowed.
        clock: the process's clock.
    """

    question: Question
    origin: GitHubClient
    parent: Parent | None
    privileges: Privileges
    findings_log: FindingsLog
    clock: Clock

    def read(self, known: KnownPages, *, asked_at: float) -> Content | Unchanged:
        """Read the public content.

        Args:
            known: the stored page; empty to read without a condition.
            asked_at: Unix time in seconds of this request.

        Raises:
            OriginError: GitHub sent nothing that can be stored.
            NotNowError: another refresher is refreshing the parent repository.
        """
        askers = self._askers()
        if askers is None:
            return contents.not_found()
        content, needs_public_parent = self._read(known, askers)
        if needs_public_parent and not self._was_public(asked_at):
            return contents.not_found()
        return content

    def _read(self, known: KnownPages, askers: Askers) -> tuple[Content | Unchanged, bool]:
        """The content, and whether it comes from a response to a credential."""
        url = self.origin.url_of(self.question.target)
        page = next((page for page in known.pages if page.url == url), None)
        validator = page.validator if page else None
        response = ask(self.origin, url, page, validator, among=askers.among)
        if self._is_elsewhere(response):
            return self._read_anonymously()
        if page is not None and response.status == 304:
            return Unchanged([page.confirmed(response)]), False
        response_check.check(response, tracked=self.question.tracked, now=self.clock.now())
        findings = Findings()
        content = contents.of_response(
            response,
            Page.of(response, url),
            question=self.question,
            tracked=self.question.tracked,
            findings=findings,
        )
        self.findings_log.note_findings(response, findings)
        if content.status != response.status:  # private, and so a 404 for everyone else
            return content, False
        is_hidden = self._is_hidden(response, findings)
        if not is_hidden and self._sees_no_more(askers, response):
            return content, not response.is_anonymous
        if response.is_anonymous or askers.is_below_private:
            content = contents.without_hidden(
                content, shape=self.question.shape, include_private=askers.is_below_private
            )
            return content, False
        return self._read_anonymously()

    def _read_anonymously(self) -> tuple[Content | Unchanged, bool]:
        """Repeat the request without a credential: only GitHub knows which part is public."""
        return self._read(KnownPages(), ANONYMOUS_ONLY)

    def _askers(self) -> Askers | None:
        """The credentials that may be used; None if the resource is not public.

        A resource below a repository is as public as the repository. For a request without a
        credential, GitHub enforces this itself.
        """
        if all(credential.is_anonymous for credential in self.origin.credentials):
            return ANONYMOUS_ONLY
        if self.parent is None or not self._depends_on_parent:
            return self._known_to_see_no_more()
        if not self.parent.is_seen():
            return None
        if self.parent.is_private():
            return BELOW_PRIVATE if self.question.include_private else ANONYMOUS_ONLY
        return self._known_to_see_no_more()

    @property
    def _depends_on_parent(self) -> bool:
        """Whether the choice of the credential depends on the repository's visibility."""
        if self.question.include_private:
            return self.question.anonymously
        return not (self.question.anonymously and self.question.also_with is AlsoWith.NOBODY)

    def _known_to_see_no_more(self) -> Askers:
        """The credentials that are known to see only the public part of a public resource."""
        if not self.question.anonymously:
            return ANY
        credentials = self.origin.credentials
        match self.question.also_with:
            case AlsoWith.NOBODY:
                return ANONYMOUS_ONLY
            case AlsoWith.SCOPELESS:
                return Askers(self.privileges.scopeless(credentials))
            case AlsoWith.NO_MEMBERS:
                return Askers(self.privileges.without_members(credentials))
            case AlsoWith.NO_PUSH:
                page = self.parent.page() if self.parent else None
                return Askers(may_not_push(page, credentials, MEDIA_TYPE))
        assert_never(self.question.also_with)

    def _is_elsewhere(self, response: GitHubResponse) -> bool:
        """Whether a credential's response lies below another repository than the requested one.

        A renamed repository is the same one: GitHub redirects to it by its number, both from the
        resource and from the repository's former name.
        """
        if response.is_anonymous or self.parent is None or self.question.include_private:
            return False
        here = self.origin.url_of("/".join(self.question.path.split("/")[:4]))
        if stays_below(response.url, here):
            return False
        page = self.parent.page()
        return page is None or page.moved_to is None or not stays_below(response.url, page.moved_to)

    def _sees_no_more(self, askers: Askers, response: GitHubResponse) -> bool:
        """Whether the response confirms what was known about the credential before the request.

        Scopes and permissions can change at any time.
        """
        also_with = self.question.also_with
        if response.is_anonymous or askers.among is None or also_with is AlsoWith.NO_PUSH:
            return True
        return self.privileges.confirms(response, self.origin.credentials)

    def _is_hidden(self, response: GitHubResponse, findings: Findings) -> bool:
        """Whether a response contains non-public objects.

        In free-form parts, such as a deployment's payload, a mark may mean anything. Such marks
        count only in responses to a credential.
        """
        include_private = self.question.include_private
        if findings.hides(include_private=include_private):
            return True
        return bool(findings.free_marks) and not (response.is_anonymous or include_private)

    def _was_public(self, asked_at: float) -> bool:
        """Whether the repository was public when a credential was used below it."""
        if self.parent is None or self.question.include_private:
            return True
        return self.parent.is_still_seen(asked_at)
