"""Credentials that see more than the public: what shows it, and what to create instead.

Readers hold no credential, so they infer its kind from what refreshers noted about it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.budgets import CredentialBudget

_APP = "app-"  # prefix of the id of a GitHub App's installation
_CLASSIC = "a classic token without any scope, of an account that belongs to no organisation"
_INSTEAD_OF_APP = (
    "leave the GitHub App only the permission `Metadata: read`, and none to see members"
)
_INSTEAD_OF_CLASSIC = f"make {_CLASSIC}"
_INSTEAD_OF_OTHERS = (
    f'{_INSTEAD_OF_CLASSIC}, or a fine-grained token with "Public repositories (read-only)"'
)


@dataclass(frozen=True)
class PrivilegedCredential:
    """A credential that sees more than the public.

    Args:
        id: its public id; never a secret.
        shown_by: what shows it, in words.
        instead: what to create instead, in an imperative sentence.
    """

    id: str
    shown_by: Sequence[str]
    instead: str


def privileged(budgets: Sequence[CredentialBudget]) -> Iterator[PrivilegedCredential]:
    """Each privileged credential once, even if it has several budgets."""
    for budget in {one.credential: one for one in budgets}.values():
        if budget.privileges:
            yield PrivilegedCredential(budget.credential, budget.privileges, _instead(budget))


def _instead(budget: CredentialBudget) -> str:
    if budget.credential.startswith(_APP):
        return _INSTEAD_OF_APP
    # GitHub reports scopes for classic tokens only.
    return _INSTEAD_OF_OTHERS if budget.scopes is None else _INSTEAD_OF_CLASSIC
