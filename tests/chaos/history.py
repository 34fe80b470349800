"""What happened, as clients and watchers saw it: plain records, which checkers judge afterwards.

All times are Unix times in seconds of this machine's one clock.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from tests.chaos.schedule import Fault

ORG: Final = "/orgs/Netflix"
REPOS: Final = f"{ORG}/repos"
MEMBERS: Final = f"{ORG}/members"

_TAG = re.compile(r'"([0-9a-f]{32})(-[a-z0-9_-]+)?"')


def resource_of(path: str) -> str:
    """Which resource a path is answered from: pages and views come from the list."""
    return REPOS if path.startswith((REPOS, "/view/")) else path


def version_of(etag: str) -> str:
    """The part of an entity tag that is the same for all forms of one version."""
    found = _TAG.fullmatch(etag)
    return found[1] if found else etag


@dataclass(frozen=True)
class Times:
    """What a response says of time.

    Args:
        date: Unix time in seconds; None if it is missing or malformed.
        modified: the same of `Last-Modified`.
        age: as it came; empty without one.
    """

    date: float | None
    modified: float | None
    age: str


@dataclass(frozen=True)
class Answer:
    """One request and what became of it.

    Args:
        port: number of the reader.
        pid: the process that answered; None where nobody can tell.
        path: asked for.
        began: when it was sent.
        ended: when the answer was there, or given up.
        status: None without an answer.
        etag: as it came; empty without one.
        digest: of the body as it came; empty where there is none to compare.
        note: what went wrong, or how it was served.
        times: what it says of time; None without a response.
    """

    port: int
    pid: int | None
    path: str
    began: float
    ended: float
    status: int | None
    etag: str = ""
    digest: str = ""
    note: str = ""
    times: Times | None = None

    @property
    def is_content(self) -> bool:
        """Whether it is content, or says that the client has it."""
        return self.status in {200, 304, 404}


@dataclass(frozen=True)
class Miss:
    """One request of a visitor for what is not held, and what became of it.

    Args:
        visitor: its number.
        port: number of the reader.
        path: requested.
        began: when it was sent.
        ended: when the response was there, or given up.
        status: None without a response.
        retry_after: as it came; empty without one.
        note: what went wrong, or the beginning of a refusal.
    """

    visitor: int
    port: int
    path: str
    began: float
    ended: float
    status: int | None
    retry_after: str = ""
    note: str = ""

    @property
    def is_served(self) -> bool:
        """Whether the response is GitHub's."""
        return self.status in {200, 404}


@dataclass(frozen=True)
class Item:
    """A repository of a list: digest of all of it, and what views rank by."""

    digest: str
    name: str
    stars: int
    forks: int

    @property
    def ranks(self) -> Mapping[str, int]:
        """What views rank by, by their metric."""
        return {"stars": self.stars, "forks": self.forks}


@dataclass(frozen=True)
class Facts:
    """What is in a body, by its entity tag.

    Args:
        plain: digest of the body without its content coding.
        marks: generations that are in it, by the name of the mark.
        items: of a list or a page of repositories.
        view: of a view, its rows.
    """

    plain: str
    marks: Mapping[str, int] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    view: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Published:
    """A mark's generation, and when the stand-in GitHub had it for sure."""

    mark: str
    generation: int
    at: float


@dataclass(frozen=True)
class Inflicted:
    """A fault as it really was: from before it was inflicted until it was healed."""

    fault: Fault
    began: float
    healed: float


@dataclass(frozen=True)
class Recovery:
    """A calm: all faults were healed, and the next is not yet there.

    Args:
        healed: when it began.
        until: its end.
        more: seconds that are added to the bound, for what only a look at all keys finds.
    """

    healed: float
    until: float
    more: float = 0.0


@dataclass(frozen=True)
class Stored:
    """A refresher's report of a refresh that stored or confirmed."""

    resource: str
    began: float
    ended: float
    job: str


@dataclass(frozen=True)
class Fetch:
    """Requests of one connection to GitHub for one resource: from the first to the last response.

    Refreshers keep connections, so one that a later refresh uses is another fetch.
    """

    resource: str
    began: float
    ended: float
    connection: int


@dataclass(frozen=True)
class Sample:
    """A process in a calm."""

    at: float
    process: str
    rss: int  # bytes
    files: int
    threads: int


@dataclass
class History:
    """Everything of one run; appended to by many threads."""

    answers: list[Answer] = field(default_factory=list)
    facts: dict[tuple[str, str], Facts] = field(default_factory=dict)  # by path and entity tag
    published: list[Published] = field(default_factory=list)
    inflicted: list[Inflicted] = field(default_factory=list)
    recoveries: list[Recovery] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    fetches: list[Fetch] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    keys: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)
    looks: list[Answer] = field(default_factory=list)  # of operators at status and metrics
    at_work: list[int] = field(default_factory=list)  # requests at GitHub as an episode begins
    left: list[str] = field(default_factory=list)  # of jobs, when nobody requests anything
    errors: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock, repr=False)

    def answered(self, answer: Answer) -> None:
        """Take note of an answer."""
        with self.lock:
            self.answers.append(answer)
