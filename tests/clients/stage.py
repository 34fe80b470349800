"""What the scenarios are run against: a fleet, its origin, and the same world without a cache."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.embedded_redis import free_port
from tests.clients.client import Case, Client, cases_of
from tests.clients.scenarios.run import MOUNT, Line, run
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess

Lines = Mapping[str, Line]


@dataclass(frozen=True)
class Played:
    """What a client's scenario gave.

    Args:
        cases: with the cache, in each case.
        truth: with the enterprise server.
        heard: the user agents from which the origin heard meanwhile.
    """

    cases: Mapping[Case, Lines]
    truth: Lines
    heard: set[str]


@dataclass(frozen=True)
class Stage:
    """A warm fleet, and a stand-in of the same world as a GitHub Enterprise Server.

    Args:
        cache: address of a reader.
        origin: the GitHub that refreshers ask.
        server: address of the enterprise server; its API is below `/api/v3`.
        server_base: what begins the addresses in its bodies.
        environment: further variables of the scenarios.
        known: what was played, or went wrong then, by the client's name.
    """

    cache: str
    origin: FakeGitHubProcess
    server: str
    server_base: str
    environment: Mapping[str, str] = field(default_factory=dict)
    known: dict[str, Played | Exception] = field(default_factory=dict, repr=False)

    def play(self, client: Client) -> Played:
        """Run a client's scenario once in each case, all at the same time: they mostly wait."""
        if client.name not in self.known:
            try:
                self.known[client.name] = self._played(client)
            except Exception as error:
                self.known[client.name] = error
        known = self.known[client.name]
        if isinstance(known, Exception):
            raise known
        return known

    def _played(self, client: Client) -> Played:
        self.origin.reset_counters()
        cases = cases_of([client])
        with ThreadPoolExecutor(len(cases) + 1) as pool:
            given = pool.map(lambda case: self._run(self.cache, case), cases)
            truth = self._run(self.server, cases[0], hurried=True)
            return Played(dict(zip(cases, given, strict=True)), truth, self._heard())

    def _run(self, server: str, case: Case, *, hurried: bool = False) -> Lines:
        environment = {**self.environment, **({"WITHOUT_PAUSES": "1"} if hurried else {})}
        return run(case.client.command(server, case.mount, case.token), environment)

    def _heard(self) -> set[str]:
        return {
            f"{request['user_agent']}{' with a token' if request['authorised'] else ''}"
            for request in self.origin.recent()
        }


def github(prefix: str = "") -> FakeGitHubProcess:
    """A stand-in GitHub whose bodies lead to itself; a token sees no more than nobody does."""
    port = free_port()
    base = f"http://127.0.0.1:{port}{prefix}"
    viewers = {"*": {"role": "stranger", "scopes": ""}}
    return FakeGitHubProcess(
        port=port,
        prefix=prefix,
        public_base=base,
        anonymous_limit=1_000_000,
        viewers=viewers,
    )


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """A fleet and an enterprise server for one module's tests."""
    with (
        github() as origin,
        github(prefix=MOUNT) as server,
        Fleet(folder, origin.url, TRUSTED_PROXIES="127.0.0.1") as fleet,
    ):
        fleet.worker()
        reader = fleet.healthy_reader()
        yield Stage(reader.url, origin, server.url.removesuffix(MOUNT), server.url)
