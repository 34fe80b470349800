"""Privacy first: which credentials may request a resource, and whether their responses are public.

The same questions for every kind of resource, tracked or on demand, single response or list:
`Access.askers` before anything is requested, the others before anything is stored.
"""

from dataclasses import dataclass
from typing import assert_never

from refresher.content.content import NOT_FOUND, Content, not_found
from refresher.content.narrowing import Findings
from refresher.github.body import message_in
from refresher.github.client import GitHubClient
from refresher.github.question import Question
from refresher.github.request_headers import MEDIA_TYPE
from refresher.github.response import GitHubResponse
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
class Access:
    """Who may request a resource, and what of the responses may be stored.

    Args:
        question: the request.
        origin: GitHub.
        parent: the repository that the resource lies below; None if it lies below none.
        privileges: what is known about the credentials.
    """

    question: Question
    origin: GitHubClient
    parent: Parent | None
    privileges: Privileges

    def askers(self) -> Askers | None:
        """The credentials that may be used; None if the resource is not public.

        A resource below a repository is as public as the repository. For a request without a
        credential, GitHub enforces this itself.

        Raises:
            OriginError: the parent repository could not be read.
            NotNowError: another refresher is refreshing the parent repository.
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

    def is_elsewhere(self, response: GitHubResponse) -> bool:
        """Whether a credential's response lies below another repository than the requested one.

        A renamed repository is the same one: GitHub redirects to it by its number, both from the
        resource and from the repository's former name.
        """
        if response.is_anonymous or self.parent is None or self.question.include_private:
            return False
        segments = self.question.path.split("/")
        here = self.origin.url_of("/".join(segments[: self.parent.resource.path.count("/") + 1]))
        if stays_below(response.url, here):
            return False
        page = self.parent.page()
        return page is None or page.moved_to is None or not stays_below(response.url, page.moved_to)

    def is_confirmed(self, askers: Askers, response: GitHubResponse) -> bool:
        """Whether the response confirms what was known about the credential before the request.

        Scopes and permissions can change at any time.
        """
        also_with = self.question.also_with
        if response.is_anonymous or askers.among is None or also_with is AlsoWith.NO_PUSH:
            return True
        return self.privileges.confirms(response, self.origin.credentials)

    def is_doubtful(self, response: GitHubResponse, findings: Findings) -> bool:
        """Whether free-form parts of a credential's response are marked as non-public.

        In free-form parts, such as a deployment's payload, a mark may mean anything. Such marks
        count only in responses to a credential.
        """
        return not response.is_anonymous and self.has_doubtful_marks(findings)

    def has_doubtful_marks(self, findings: Findings) -> bool:
        """The same for content that a credential received or confirmed."""
        return bool(findings.free_marks) and not self.question.include_private

    @property
    def may_be_private(self) -> bool:
        """Whether what a credential is told, other than content, may be told to nobody else.

        Below a public repository it is told to anyone. A repository itself may be private.
        """
        return self.parent is None and not self.question.include_private

    def is_told_to_some(self, response: GitHubResponse) -> bool:
        """Whether an answer that is no content may tell its credential more than it tells anyone.

        Of a private repository, anyone is told the usual 404 only.
        """
        is_usual = response.status == 404 and message_in(response.body) == NOT_FOUND
        return self.may_be_private and not (response.is_anonymous or is_usual)

    def was_public(self, asked_at: float) -> bool:
        """Whether the repository was public when a credential was used below it.

        Args:
            asked_at: Unix time in seconds of the request.

        Raises:
            OriginError: the parent repository could not be read.
            NotNowError: another refresher is refreshing the parent repository.
        """
        if self.parent is None or self.question.include_private:
            return True
        return self.parent.is_still_seen(asked_at)

    def answer_of_parent(self) -> Content:
        """What is said of the resource if the parent repository is not public: what GitHub says
        of the repository, or 404.
        """
        return not_found() if self.parent is None else self.parent.answer()

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
