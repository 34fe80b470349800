"""The world: accounts, repositories, and a clock that only mutations move.

Nothing here knows HTTP or JSON. `World.lock` guards every read and write; `World.version` grows
with each mutation, so that a rendered body is known to be current.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

BEGINNING = 1_767_225_600  # 2026-01-01T00:00:00Z: the world's "now" before its first mutation


def iso(seconds: int) -> str:
    """Seconds since the epoch, as GitHub writes a time: `2026-01-01T00:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(eq=False)
class Account:
    """A user or an organisation; both are owners, and share one space of ids and logins."""

    id: int
    login: str
    kind: Literal["User", "Organization"]
    name: str
    created_at: str
    updated_at: str
    description: str | None = None
    company: str = ""
    blog: str = ""
    location: str = ""
    email: str = ""
    twitter_username: str | None = None
    followers: int = 0
    following: int = 0
    public_gists: int = 0
    members: list["Account"] = field(default_factory=list)
    concealed: set[int] = field(default_factory=set)
    repos: list["Repository"] = field(default_factory=list)

    def public_repos(self) -> list["Repository"]:
        """The repositories anyone may see, in the default order (created, newest first)."""
        return [repo for repo in self.repos if not repo.private]

    def public_members(self) -> list["Account"]:
        """The members with public membership, in the default order."""
        return [member for member in self.members if member.id not in self.concealed]


@dataclass(eq=False)
class Repository:
    """A repository; there is no `watchers_count`: on GitHub it repeats the stars.

    private: not public, so true of an internal one too.
    parent: of a fork.
    pushes: number of commits beside those that it began with.
    """

    id: int
    name: str
    owner: Account
    created_at: str
    updated_at: str
    pushed_at: str
    private: bool = False
    internal: bool = False
    fork: bool = False
    archived: bool = False
    description: str | None = None
    homepage: str | None = None
    language: str | None = None
    license: str | None = None
    topics: tuple[str, ...] = ()
    stars: int = 0
    forks: int = 0
    open_issues: int = 0
    subscribers: int = 0
    size: int = 0
    default_branch: str = "main"
    parent: "Repository | None" = field(default=None, repr=False)
    pushes: int = 0

    @property
    def full_name(self) -> str:
        """`owner/name`, as GitHub shows it."""
        return f"{self.owner.login}/{self.name}"

    @property
    def visibility(self) -> str:
        """`public`, `private` or `internal`."""
        if not self.private:
            return "public"
        return "internal" if self.internal else "private"


@dataclass
class World:
    """All accounts and repositories, with the look-ups that GitHub's paths need."""

    accounts: dict[str, Account] = field(default_factory=dict)
    accounts_by_id: dict[int, Account] = field(default_factory=dict)
    repos_by_id: dict[int, Repository] = field(default_factory=dict)
    former_names: dict[tuple[int, str], int] = field(default_factory=dict)
    version: int = 0
    now: int = BEGINNING
    next_id: int = 2_000_000_000
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def add_account(self, account: Account) -> Account:
        """Make an account findable by its login and by its id."""
        self.accounts[account.login.lower()] = account
        self.accounts_by_id[account.id] = account
        return account

    def add_repo(self, repo: Repository, *, position: int | None = None) -> Repository:
        """Add a repository to its owner, at `position` of the default order (None: the end)."""
        repos = repo.owner.repos
        repos.insert(len(repos) if position is None else position, repo)
        self.repos_by_id[repo.id] = repo
        return repo

    def account(self, login: str, kind: str | None = None) -> Account | None:
        """The account of that login in any case of letters, if it is of that kind."""
        found = self.accounts.get(login.lower())
        return found if found and kind in (None, found.kind) else None

    def account_of_id(self, number: int, kind: str | None = None) -> Account | None:
        """The account of that numeric id, if it is of that kind."""
        found = self.accounts_by_id.get(number)
        return found if found and kind in (None, found.kind) else None

    def repo(self, login: str, name: str) -> Repository | None:
        """The repository that has that name now, in any case of letters."""
        owner = self.account(login)
        wanted = name.lower()
        return next((r for r in owner.repos if r.name.lower() == wanted), None) if owner else None

    def renamed_repo(self, login: str, name: str) -> Repository | None:
        """The repository that had that name before; a new one of that name takes precedence."""
        owner = self.account(login)
        number = self.former_names.get((owner.id, name.lower())) if owner else None
        return self.repos_by_id.get(number) if number else None

    def new_id(self) -> int:
        """A number no account and no repository has."""
        self.next_id += 1
        return self.next_id

    @contextmanager
    def changing(self) -> Iterator[str]:
        """Hold the lock for a mutation; yield its time, one second after the last one's."""
        with self.lock:
            self.now += 1
            self.version += 1
            yield iso(self.now)
