"""A model of GitHub: the stand-in's world, behind a transport without sockets, and its webhooks."""

import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ProtocolError

from refresher.github import permitted_requests
from refresher.github.transport import Transport
from shared.settings import GITHUB_API, Settings
from tests.fakegithub import webhooks
from tests.fakegithub.config import Config
from tests.fakegithub.faults import fault_from_json
from tests.fakegithub.github import GitHub
from tests.fakegithub.hooks import EVENTS, payload_of
from tests.fakegithub.http_messages import HttpResponse, Request
from tests.fakegithub.world import World
from tests.fakegithub.world_factory import WorldOptions, create_world
from tests.simulation.hub import Hub
from tests.simulation.paged_lists import Truth

SECRET = "of-the-simulation"
HOOK_TOKEN = "ghp_simulation_hooks"
HOOK_URL = "https://cache.invalid/webhooks/github"
TOKENS = ("ghp_simulation_one", "ghp_simulation_two")
ORG = "Netflix"
REPOS, MEMBERS, ORGANISATION = "/orgs/netflix/repos", "/orgs/netflix/members", "/orgs/netflix"
_SHORT = frozenset({"short_list", "empty_list"})
# What changes a path, by kinds of mutations.
_CHANGES_OF = {REPOS: "star", MEMBERS: "add_member", ORGANISATION: "edit_org"}
_HIDDEN_AGAIN_S = 3700.0  # a resource is read anew because of drift once an hour at the most
GONE: Any = None  # the truth of what is not public


@dataclass(frozen=True)
class Told:
    """A change of which a reader has taken the delivery.

    Args:
        path: a tracked resource that it changed.
        at: virtual seconds.
        changed_at: when GitHub changed.
    """

    path: str
    at: float
    changed_at: float


class ModelGitHub:
    """GitHub, its truth, and what goes wrong with it.

    Args:
        hub: virtual time.
        seed: of the run.
        lags: of its replicas, in seconds.
    """

    def __init__(self, hub: Hub, seed: str, *, lags: tuple[float, ...]) -> None:
        self.hub = hub
        self.dice = random.Random(f"{seed}:github")
        self.world: World = create_world(WorldOptions(repos=16, members=5, seed=len(seed)))
        config = Config(anonymous_limit=100_000, token_limit=1_000_000)
        config = config.changed(
            {
                "viewers": {
                    "*": {"role": "stranger", "scopes": ""},
                    HOOK_TOKEN: {"role": "owner", "scopes": "admin:org_hook"},
                },
                "lag": list(lags),
                "hook": {"url": HOOK_URL, "secret": SECRET},
            }
        )
        self.github = GitHub(self.world, config)
        self.latency = (0.05, 0.4)
        self.lag = max(lags, default=0.0)
        self.requests = 0
        self.is_paged = False  # whether its list of repositories has several pages
        self.changes_between = 0  # pages of it, after which it still is to change
        self.change: Callable[[str], object] = lambda _: None
        self.paused_at: float | None = None  # virtual seconds of the last pause of years
        self.truths: dict[str, Truth] = {}
        # Paths whose 304 is wrong, or was: virtual seconds of the beginning and of the end.
        self.wrong: dict[str, list[tuple[float, float]]] = {}
        self.shortened: list[Any] = []  # what it showed of the list of repositories, wrongly
        self.note_truth()

    def repo_names(self) -> list[str]:
        """The names of all repositories of the organisation."""
        return [repo.name for repo in self.world.accounts[ORG.lower()].repos]

    def note_truth(self) -> None:
        """Note what an anonymous client is shown of each resource now."""
        org = self.world.accounts[ORG.lower()]
        now = self.hub.now
        public = org.public_repos()
        self._truth(REPOS).note(now, sorted(_repo(one) for one in public))
        self._truth(MEMBERS).note(now, sorted(one.login for one in org.members))
        self._truth(ORGANISATION).note(now, [org.description, org.updated_at, len(public)])
        for one in org.repos:
            value = GONE if one.private else _repo(one)
            self._truth(f"/repos/netflix/{one.name.lower()}").note(now, value)

    def _truth(self, path: str) -> Truth:
        return self.truths.setdefault(path, Truth())

    def hide_changes(self, dice: random.Random) -> str:
        """Answer 304 to every conditional request for a path, whatever it shows.

        Returns:
            The kind of changes that are hidden so; empty if each path was hidden lately.
        """
        now = self.hub.now
        paths = [
            path
            for path in sorted(_CHANGES_OF)
            if all(end < now - _HIDDEN_AGAIN_S for _, end in self.wrong.get(path, []))
        ]
        if not paths:
            return ""
        path = dice.choice(paths)
        self.wrong.setdefault(path, []).append((now, float("inf")))
        self._answer_304(path)
        return _CHANGES_OF[path]

    def hide_on(self) -> bool:
        """Go on with that after all faults were cleared; whether there is any."""
        hidden = [path for path, times in self.wrong.items() if times[-1][1] > self.hub.now]
        for path in hidden:
            self._answer_304(path)
        return bool(hidden)

    def hide_no_more(self) -> None:
        """End all faults: GitHub is right from now on."""
        self.github.faults.clear()
        for times in self.wrong.values():
            times[-1] = (times[-1][0], min(times[-1][1], self.hub.now))

    def was_wrong(self, path: str, since: float, until: float = float("inf")) -> bool:
        """Whether a 304 for a path may have been wrong between two virtual seconds."""
        return any(one <= until and since <= end for one, end in self.wrong.get(path, []))

    def _answer_304(self, path: str) -> None:
        self.order("wrong_304", path=f"(?i)^{path}([?]|$)")

    def mutate(self, kind: str = "") -> tuple[str, bytes, Mapping[str, str], list[str]]:
        """Change something; return its kind, the delivery, and the tracked paths that changed.

        Args:
            kind: of the change; empty for any.
        """
        mutation = self._mutation(kind)
        before = {path: len(truth.values) for path, truth in self.truths.items()}
        touched = self.github.mutate(mutation, now=self.hub.unix)
        self.note_truth()
        event, action = EVENTS[mutation["kind"]]
        payload = payload_of(action, ORG, touched)
        if "repository" in payload:
            repo = self.world.repo(ORG, touched["name"])
            assert repo is not None
            payload["repository"]["private"] = repo.private
            payload["repository"]["updated_at"] = repo.updated_at
        body, headers = webhooks.delivery(SECRET, event, payload)
        changed = [path for path, number in before.items() if self.truths[path].values[number:]]
        return f"{mutation['kind']} {touched.get('name', '')}".strip(), body, headers, changed

    def _mutation(self, kind: str) -> dict[str, Any]:
        dice, org = self.dice, self.world.accounts[ORG.lower()]
        public = [repo.name for repo in org.public_repos()]
        private = [repo.name for repo in org.repos if repo.private]
        choices = ["star", "star", "star", "edit_repo", "edit_org", "add_member", "make_private"]
        if len(org.members) > 3:
            choices.append("remove_member")
        if private:
            choices.append("make_public")
        kind = kind or dice.choice(choices)
        if kind == "make_private" and len(public) < 12:
            kind = "make_public" if private else "star"
        mutation: dict[str, Any] = {"kind": kind, "org": ORG}
        if kind in {"star", "edit_repo", "make_private"}:
            mutation["repo"] = dice.choice(public)
        if kind == "make_public" and not private:
            kind = mutation["kind"] = "star"
            mutation["repo"] = dice.choice(public)
        if kind == "make_public":
            mutation["repo"] = dice.choice(private)
        if kind in {"edit_repo", "edit_org"}:
            mutation["description"] = f"description {dice.randrange(10**6)}"
        if kind == "remove_member":
            mutation["login"] = dice.randrange(len(org.members))
        return mutation

    def order(self, kind: str, *, path: str = "", times: int | None = None, **more: Any) -> None:
        """Put a fault in force, see `tests.fakegithub.faults`."""
        options = {"kind": kind, "path": path, "times": times, **more}
        self.github.faults.order(fault_from_json(options))

    def transport(self, settings: Settings, *, monotonic: Callable[[], float]) -> "SimTransport":
        """The connections of one process."""
        return SimTransport(self, settings, monotonic)


def _repo(repo: Any) -> list[Any]:
    return [repo.id, repo.full_name, repo.stars, repo.description, repo.updated_at]


def seen_in(path: str, status: int, body: bytes) -> Any:
    """What a body says of a resource, in the form of its truth."""
    if status in {404, 451}:
        return GONE
    value = json.loads(body)
    if path == REPOS:
        return sorted(map(_repo_in, value))
    if path == MEMBERS:
        return sorted(one["login"] for one in value)
    if path == ORGANISATION:
        return [value["description"], value["updated_at"], value["public_repos"]]
    return _repo_in(value)


def _repo_in(one: Mapping[str, Any]) -> list[Any]:
    names = ("id", "full_name", "stargazers_count", "description", "updated_at")
    return [one[name] for name in names]


class SimTransport(Transport):
    """A process's way to the model."""

    def __init__(
        self, model: ModelGitHub, settings: Settings, monotonic: Callable[[], float]
    ) -> None:
        self.settings = settings
        self.monotonic = monotonic
        self._model = model

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def exchange(
        self, request: requests.PreparedRequest, *, ends_at: float
    ) -> Iterator[requests.Response]:
        """One request and its response; the answer is what GitHub has half-way."""
        model, hub = self._model, self._model.hub
        permitted_requests.check(request.method, request.url, base=self.settings.github_api_url)
        model.requests += 1
        hub.sleep(hub.dice.uniform(*model.latency))
        asked = _request(request)
        github, now = model.github, hub.unix
        found = github.faults.match(asked.method, asked.target, github.token(asked))
        fault = found[0] if found else None
        kind = fault.kind if fault else ""
        if kind == "hang":
            hub.sleep(min(self.settings.origin_read_timeout, ends_at - self.monotonic()))
            raise requests.ReadTimeout("silent")
        if kind == "reset":
            raise requests.ConnectionError("reset")
        decided = github.decide(asked, concurrent=1, fault=fault, now=now)
        answered, _ = github.to_http(asked, decided, fault=fault, now=now)
        if model.changes_between and asked.path.lower() == REPOS:
            model.changes_between -= 1
            model.change(hub.dice.choice(("make_private", "make_public", "star", "edit_repo")))
        hub.sleep(hub.dice.uniform(*model.latency))
        if kind == "slow" and fault is not None:
            hub.sleep(fault.delay)
        if kind == "absurd_pauses":
            model.paused_at = hub.now
        if kind in _SHORT and answered.status == 200:
            model.shortened.append(seen_in(REPOS, 200, _unpacked(answered)))
        response = requests.Response()
        response.status_code = answered.status
        response.headers = CaseInsensitiveDict(answered.headers)
        response.raw = _Raw(answered.body, is_cut=kind == "truncate")
        yield response


def _unpacked(answered: HttpResponse) -> bytes:
    is_gzip = dict(answered.headers).get("Content-Encoding") == "gzip"
    return gzip.decompress(answered.body) if is_gzip else answered.body


class _Raw:
    """The part of urllib3's response that is used."""

    def __init__(self, body: bytes, *, is_cut: bool) -> None:
        self._body = body[: len(body) // 2] if is_cut else body
        self._is_cut = is_cut

    def read1(self, amount: int, *, decode_content: bool = False) -> bytes:  # noqa: ARG002
        """The next bytes."""
        piece, self._body = self._body[:amount], self._body[amount:]
        if not piece and self._is_cut:
            raise ProtocolError("cut")
        return piece

    def close(self) -> None:
        """Nothing is open."""


def _request(request: requests.PreparedRequest) -> Request:
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers.setdefault("host", "api.github.com")
    target = str(request.url).removeprefix(GITHUB_API) or "/"
    return Request(str(request.method), target, headers, tuple(request.headers))
