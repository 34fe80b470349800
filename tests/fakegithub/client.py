"""For tests: a stand-in GitHub in a thread or in a process, and its controls."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from tests.fakegithub.config import Config
from tests.fakegithub.github import GitHub
from tests.fakegithub.server import Server
from tests.fakegithub.world_factory import WorldOptions, create_world
from tests.http_client import Connection, request

CHECKOUT = Path(__file__).resolve().parents[2]


class FakeGitHubError(Exception):
    """The stand-in did not start, or refused a control request."""


class Controls:
    """The control requests of a stand-in GitHub that listens at `url`."""

    url: str

    def counters(self) -> dict[str, Any]:
        """Counters so far: total, requests, statuses, points, recent, …"""
        counters: dict[str, Any] = self.json("GET", "/counters")
        return counters

    def reset_counters(self) -> None:
        """Reset the counters; rate limits run on."""
        self.json("POST", "/reset-counters")

    def fault(self, kind: str, **options: Any) -> int:
        """Order a fault (see `faults.Fault` for kinds and options); return its id."""
        return int(self.json("POST", "/faults", {"kind": kind, **options})["id"])

    def clear_faults(self) -> None:
        """Remove all faults; hanging requests end."""
        self.json("DELETE", "/faults")

    def mutate(self, kind: str, **options: Any) -> dict[str, Any]:
        """Change the world now (see `mutations`); return id and name of what it touched."""
        touched: dict[str, Any] = self.json("POST", "/mutations", {"kind": kind, **options})
        return touched

    def script(
        self, path: str, page: int, kind: str, *, times: int | None = 1, **options: Any
    ) -> int:
        """After page `page` of the list at `path` is served, change the world; return an id."""
        script = {"path": path, "page": page, "times": times}
        mutation = {"kind": kind, **options}
        return int(self.json("POST", "/scripts", {**script, "mutation": mutation})["id"])

    def clear_scripts(self) -> None:
        """Remove all scripts."""
        self.json("DELETE", "/scripts")

    def configure(self, **options: Any) -> None:
        """Change rules (see `config.Config`); `reset_limits=True` restarts all windows."""
        self.json("POST", "/config", options)

    def installation_tokens(self) -> list[str]:
        """The tokens issued to installations of GitHub Apps so far, oldest first.

        `configure(revoked=github.installation_tokens())` revokes them; the next one is valid.
        """
        tokens: list[str] = self.json("GET", "/installation-tokens")
        return tokens

    def deliveries(self) -> list[dict[str, Any]]:
        """All attempts to deliver an event, the newest first, as GitHub lists them."""
        attempts: list[dict[str, Any]] = self.json("GET", "/deliveries")
        return attempts

    def repos(
        self, org: str = "Netflix", *, private: bool = False, role: str = "anonymous"
    ) -> list[dict[str, Any]]:
        """The true list of public repositories, as bodies show them, in default order.

        private: whether to include private and internal ones.
        role: the viewer whose form the items have: "anonymous", "stranger", "member" or "owner".
        """
        query = urlencode({"org": org, "private": int(private), "role": role})
        repos: list[dict[str, Any]] = self.json("GET", f"/world/repos?{query}")
        return repos

    def members(self, org: str = "Netflix", *, concealed: bool = False) -> list[dict[str, Any]]:
        """The true list of public members in its public form; `concealed`: of all members."""
        query = urlencode({"org": org, "concealed": int(concealed)})
        members: list[dict[str, Any]] = self.json("GET", f"/world/members?{query}")
        return members

    def org(self, org: str = "Netflix") -> dict[str, Any]:
        """The organisation in its public form."""
        found: dict[str, Any] = self.json("GET", f"/world/org?{urlencode({'org': org})}")
        return found

    def page_requests(self, path: str, *, method: str = "GET") -> int:
        """Number of requests for exactly this path with query."""
        return int(self.counters()["requests"].get(f"{method} {path}", 0))

    def recent(self) -> list[dict[str, Any]]:
        """The last 5,000 requests, oldest first."""
        recent: list[dict[str, Any]] = self.counters()["recent"]
        return recent

    def json(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send one control request; FakeGitHubError has the server's reason for a refusal."""
        payload = b"" if body is None else json.dumps(body).encode()
        fields = {"Connection": "close", "Content-Length": str(len(payload))}
        with Connection(self.url) as connection:
            connection.send(request(f"/_control{path}", method=method, **fields) + payload)
            response = connection.receive()
        if response.status != 200:
            raise FakeGitHubError(response.json["error"])
        return response.json


class FakeGitHub(Controls):
    """A stand-in GitHub in a thread of this process; world and rules by keyword.

    `with FakeGitHub(repos=5, anonymous_limit=1000) as github: requests.get(github.url + "/")`
    """

    def __init__(
        self,
        *,
        world: WorldOptions | None = None,
        orgs: tuple[str, ...] = ("Netflix",),
        repos: int = 250,
        members: int = 130,
        private: int = 0,
        internal: int = 0,
        concealed: int = 0,
        seed: int = 1,
        churn: float = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        public_base: str = "https://api.github.com",
        prefix: str = "",
        **config: Any,
    ) -> None:
        options = WorldOptions(orgs, repos, members, private, seed, internal, concealed)
        github = GitHub(
            create_world(world or options), Config().changed(config), public_base, prefix
        )
        self.server = Server(github, host=host, port=port)
        self.server.start(churn=churn)
        self.url = self.server.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop listening, close all connections."""
        self.server.stop()


class FakeGitHubProcess(Controls):
    """A stand-in GitHub in a new process, which ends when this one does."""

    def __init__(
        self,
        *,
        orgs: tuple[str, ...] = ("Netflix",),
        repos: int = 250,
        members: int = 130,
        private: int = 0,
        internal: int = 0,
        concealed: int = 0,
        seed: int = 1,
        churn: float = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        public_base: str = "https://api.github.com",
        prefix: str = "",
        **config: Any,
    ) -> None:
        options = {
            "--repos": repos, "--members": members, "--private": private, "--internal": internal,
            "--concealed": concealed, "--seed": seed, "--churn": churn, "--host": host,
            "--port": port, "--public-base": public_base, "--prefix": prefix,
            "--config": json.dumps(config),
        }  # fmt: skip
        pairs = [f"{name}={value}" for name, value in options.items()]
        command = [sys.executable, "-m", "tests.fakegithub", "--exit-with-stdin", *pairs]
        self.process = subprocess.Popen(
            [*command, *(f"--org={org}" for org in orgs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
            start_new_session=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline().decode()
        if not line.startswith("listening on "):
            self.stop()
            raise FakeGitHubError(f"tests.fakegithub did not start: {line!r}")
        self.url = line.removeprefix("listening on ").strip()
        self.counters()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, unless it has ended."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
