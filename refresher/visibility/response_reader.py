"""Reading a single answer of GitHub's so that only what is public of it gets out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from refresher.content import content as contents
from refresher.content.content import Content
from refresher.content.narrowing import Findings
from refresher.content.page import Page, Unchanged, ask
from refresher.github import response_check
from refresher.github.client import MEDIA_TYPE, GitHubClient
from refresher.github.question import Question
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
from shared.resources.operations import AlsoWith


@dataclass(frozen=True)
class ResponseReader:
    """Reads one answer, with whichever credential sees no more of it than the public.

    Args:
        question: what is asked.
        tracked: it is of a tracked resource, which is a single object.
        origin: where from.
        parent: the repository that it lies below; None for none.
        privileges: what is known of the credentials.
        note_findings: told what an answer held beside what is public.
        clock: gives Unix time in seconds.
    """

    question: Question
    tracked: bool
    origin: GitHubClient
    parent: Parent | None
    privileges: Privileges
    note_findings: Callable[[GitHubResponse, Findings], None]
    clock: Callable[[], float]

    def read(self, known: KnownPages, *, asked_at: float) -> Content | Unchanged:
        """The content, as the public sees it.

        Args:
            known: the page that was read last; none to read anew.
            asked_at: Unix time in seconds, of now.

        Raises:
            OriginError: there is nothing that can be stored.
            NotNowError: another refresher is at work on what this needs first.
        """
        askers = self._askers()
        if askers is None:
            return contents.not_found()
        content, is_a_credential_s = self._read(known, askers)
        if is_a_credential_s and not self._was_public(asked_at):
            return contents.not_found()
        return content

    def _read(self, known: KnownPages, askers: Askers) -> tuple[Content | Unchanged, bool]:
        """The content, and whether it is what a credential was shown."""
        url = self.origin.url_of(self.question.target)
        page = next((page for page in known.pages if page.url == url), None)
        validator = page.validator if page else None
        response = ask(self.origin, url, page, validator, among=askers.among)
        if self._is_elsewhere(response):
            return self._read_anonymously()
        if page is not None and response.status == 304:
            return Unchanged([page.confirmed(response)]), False
        response_check.check(response, tracked=self.tracked, now=self.clock())
        findings = Findings()
        content = contents.of_response(
            response,
            Page.of(response, url),
            question=self.question,
            tracked=self.tracked,
            findings=findings,
        )
        self.note_findings(response, findings)
        if (
            content.status != response.status
        ):  # it is private itself, and so a 404 to everybody else
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
        """What is public of something of which a credential saw more: only GitHub can tell."""
        return self._read(KnownPages(), ANONYMOUS_ONLY)

    def _askers(self) -> Askers | None:
        """Who may ask; None where what is asked for is not public.

        What lies below a repository is as public as that. Without a credential GitHub sees to it
        itself.
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
        """Whether a credential would be used, or not, for what the repository is."""
        if self.question.include_private:
            return self.question.anonymously
        return not (self.question.anonymously and self.question.also_with is AlsoWith.NOBODY)

    def _known_to_see_no_more(self) -> Askers:
        """Who may ask for something public: whoever is known to see no more of it."""
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
        """Whether what a credential saw lies below another repository than the one that was asked.

        One that was renamed is the same: GitHub leads to it by its number, as it leads there from
        the repository's own former name.
        """
        if response.is_anonymous or self.parent is None or self.question.include_private:
            return False
        here = self.origin.url_of("/".join(self.question.path.split("/")[:4]))
        if stays_below(response.url, here):
            return False
        page = self.parent.page()
        return page is None or page.moved_to is None or not stays_below(response.url, page.moved_to)

    def _sees_no_more(self, askers: Askers, response: GitHubResponse) -> bool:
        """Whether an answer says again what was known of the credential before it was asked.

        Scopes and permissions can change at any time.
        """
        also_with = self.question.also_with
        if response.is_anonymous or askers.among is None or also_with is AlsoWith.NO_PUSH:
            return True
        return self.privileges.confirms(response, self.origin.credentials)

    def _is_hidden(self, response: GitHubResponse, findings: Findings) -> bool:
        """Whether an answer holds what is not for everyone.

        In what GitHub's description leaves open, such as a deployment's payload, a mark may mean
        anything; there only what a credential saw is doubted.
        """
        include_private = self.question.include_private
        if findings.hides(include_private=include_private):
            return True
        return bool(findings.free_marks) and not (response.is_anonymous or include_private)

    def _was_public(self, asked_at: float) -> bool:
        """Whether the repository was public when a credential was shown what lies below it."""
        if self.parent is None or self.question.include_private:
            return True
        return self.parent.is_still_seen(asked_at)
