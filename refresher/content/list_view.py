"""Which credential gets the pages of one reading of a list: one for all of them."""

from collections.abc import Collection
from dataclasses import dataclass

from refresher.github.response import GitHubResponse


@dataclass
class ListView:
    """The credential of one reading of a list: that of its first page.

    One credential sees private items that another one does not see, so the pages of the two end at
    different items:

        the owner's page 1: A P B | the stranger's page 2: D E     -> C is missed

    Args:
        is_one: there is one credential, and so one view.
        asked_by: id of the credential that got the first page; None before the first page.
        is_mixed: another credential got a later page, because the first was spent or refused.
        allowed: ids of the credentials that may be used, besides the anonymous one; None for any.
    """

    is_one: bool
    asked_by: str | None = None
    is_mixed: bool = False
    allowed: Collection[str] | None = None

    @property
    def is_known(self) -> bool:
        """Whether the credential is known, so that pages may be requested ahead."""
        return self.is_one or self.asked_by is not None

    @property
    def among(self) -> Collection[str] | None:
        """Ids of the credentials that may be used now, besides the anonymous one; None for any."""
        if self.is_one or self.asked_by is None:
            return self.allowed
        return frozenset({self.asked_by})

    def again(self) -> "ListView":
        """The view of the next reading: the same credential, if it got all pages of this one."""
        asked_by = None if self.is_mixed else self.asked_by
        return ListView(self.is_one, asked_by, allowed=self.allowed)

    def note(self, response: GitHubResponse) -> None:
        """Note the credential of a page."""
        if self.asked_by is None:
            self.asked_by = response.credential
        self.is_mixed = self.is_mixed or response.credential != self.asked_by
