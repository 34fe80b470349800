"""Credentials that GitHub refuses, everywhere or for some owners, in its own words.

For which owners is the operator's business: it depends on what exists there that only a credential
may see, and anyone can try names until a credential is refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.budgets import CredentialBudget


@dataclass(frozen=True)
class RefusedCredential:
    """A credential that GitHub refuses.

    Args:
        id: its public id; never a secret.
        place: for which owner, or for which operation on what belongs to it; empty for all.
        message: GitHub's, in one line; empty if it is not known.
        until: Unix time in seconds until when the credential is not used there.
    """

    id: str
    place: str
    message: str
    until: float

    @property
    def words(self) -> str:
        """What GitHub refuses, and why, in one line; for operators."""
        where = f" for {self.place}" if self.place else ""
        why = f": {self.message}" if self.message else ""
        return f"GitHub refuses {self.id}{where}{why}"

    @property
    def public_words(self) -> str:
        """The same for everybody."""
        return f"GitHub refuses {self.id} for some owners" if self.place else self.words


def refused(budgets: Sequence[CredentialBudget], now: float) -> Iterator[RefusedCredential]:
    """Each credential that is refused, with each place, those that are refused everywhere first.

    Args:
        budgets: the known budgets; a credential may have several.
        now: Unix time in seconds.
    """
    credentials = {one.credential: one for one in budgets}.values()
    for one in credentials:
        if one.aside_until > now:
            yield RefusedCredential(one.credential, "", one.aside_reason, one.aside_until)
    for one in credentials:
        for refusal in one.refused:
            yield RefusedCredential(one.credential, refusal.place, refusal.message, refusal.until)
