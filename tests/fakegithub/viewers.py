"""Viewers: anonymous, stranger, member or owner, with a kind of credential.

Only this module decides what a viewer may see. Sources: docs.github.com "Scopes for OAuth
apps" ("(no scope) Grants read-only access to public information"), "Repository roles for an
organization", and the descriptions of the operations that show more to some than to others.
"""

from dataclasses import dataclass
from typing import Any, Final

from tests.fakegithub.world import Account, Repository

ROLES: Final = ("stranger", "member", "owner")
KINDS: Final = ("classic", "fine-grained")
EVERY_OTHER_TOKEN: Final = "*"


@dataclass(frozen=True)
class Viewer:
    """A caller as GitHub knows it; without arguments, an owner with a classic token.

    role: the caller's role in every organisation of the world ("anonymous": no credential).
    kind: "classic", "fine-grained", or "installation" for the token of an App's installation.
    scopes: a classic token's scopes, as in `X-OAuth-Scopes`; not used for other kinds.
    login: the token's user, who sees the own account in its private form.
    """

    role: str = "owner"
    kind: str = "classic"
    scopes: str = "repo"
    login: str | None = None

    @property
    def authenticated(self) -> bool:
        """Whether there is a credential."""
        return self.role != "anonymous"

    @property
    def scope_list(self) -> list[str]:
        """The scopes of a classic token, one by one."""
        return [scope.strip() for scope in self.scopes.split(",") if scope.strip()]

    @property
    def insider(self) -> bool:
        """Whether concealed members and an organisation's policies are shown."""
        scoped = self.kind != "classic" or bool(self.scope_list)
        return self.role in ("member", "owner") and scoped

    @property
    def owns(self) -> bool:
        """Whether what only owners see is shown."""
        return self.insider and self.role == "owner"

    @property
    def reads_private(self) -> bool:
        """Whether private and internal repositories of organisations are shown."""
        return self.insider and (self.kind != "classic" or "repo" in self.scope_list)

    def may_push(self, number: int) -> bool:
        """Whether the viewer may push to a repository of this id: members may to every second one.

        The scopes of a token do not matter: GitHub shows the role of its user.
        """
        return self.role == "owner" or (self.role == "member" and number % 2 == 0)

    def sees(self, repo: Repository) -> bool:
        """Whether this viewer sees a repository; only owners see a user's private ones."""
        if not repo.private:
            return True
        return self.reads_private and (repo.owner.kind == "Organization" or self.owns)

    def repos_of(self, owner: Account) -> list[Repository]:
        """The repositories of an owner that this viewer may see, in the default order."""
        return [repo for repo in owner.repos if self.sees(repo)]

    def members_of(self, org: Account) -> list[Account]:
        """The members of an organisation that this viewer may see, in the default order."""
        return list(org.members) if self.insider else org.public_members()


ANONYMOUS_VIEWER: Final = Viewer("anonymous", "none", "")


def viewer_from_json(options: dict[str, Any]) -> Viewer:
    """Make a viewer from JSON options; ValueError says what is wrong."""
    viewer = Viewer(**options)
    if viewer.role not in ROLES:
        raise ValueError(f"no such role: {viewer.role}; there are: {', '.join(ROLES)}")
    if viewer.kind not in KINDS:
        raise ValueError(f"no such kind: {viewer.kind}; there are: {', '.join(KINDS)}")
    return viewer
