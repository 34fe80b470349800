"""The scenarios of clients in other languages; see `claims` for what is claimed of each."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.clients import installed
from tests.clients.claims import CLAIMS
from tests.clients.client import TOKEN, UNDER_BOTH, Case, Client, cases_of
from tests.clients.scenarios.run import MOUNT, python
from tests.clients.stage import Stage
from tests.clients.tls_front import tls_front
from tests.end_to_end.tls import Authority
from tests.npm import check_lock

RUBY = Path(__file__).parent / "octokit_rb" / "scenario.rb"
OCTOKIT_JS = Client(
    "Octokit.js",
    lambda server, mount, token: [
        "node",
        installed.OCTOKIT_JS / "scenario.mjs",
        server + mount,
        token,
    ],
    UNDER_BOTH,
    retries=True,
)
CLIENTS = [
    OCTOKIT_JS,
    Client(
        "Octokit.rb",
        lambda server, mount, token: ["ruby", RUBY, server + mount, token],
        UNDER_BOTH,
    ),
    Client("go-github", lambda server, _, token: [installed.GO_PROGRAM, server, token]),
]
# It asks nothing without a token.
GH = Client("gh", lambda server, _, token: python("with_gh", server, token), ((MOUNT, TOKEN),))

# Sent from a page without the server's leave (fetch.spec.whatwg.org, CORS-safelisted).
SAFELISTED = {"accept", "accept-language", "content-language"}

claims = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)


@claims
@pytest.mark.parametrize("case", cases_of(CLIENTS), ids=str)
def test_a_client(case: Case, claim: Callable[[Case, Stage], None], stage: Stage) -> None:
    installed.require(case.client.name)
    claim(case, stage)


@pytest.fixture(scope="module")
def tls_stage(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The same servers behind HTTPS, without which gh asks nothing."""
    installed.require(GH.name)
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder, "authority")
    with (
        tls_front(stage.cache, folder / "cache", authority) as cache,
        tls_front(stage.server, folder / "server", authority) as server,
    ):
        trust = {"SSL_CERT_FILE": str(authority.file)}
        yield replace(stage, cache=cache, server=server, environment=trust)


@claims
@pytest.mark.parametrize("case", cases_of([GH]), ids=str)
def test_gh(case: Case, claim: Callable[[Case, Stage], None], tls_stage: Stage) -> None:
    claim(case, tls_stage)


def test_a_browser_lets_octokit_send_all_that_it_sends(stage: Stage) -> None:
    installed.require(OCTOKIT_JS.name)
    lines = stage.play(OCTOKIT_JS).cases[cases_of([OCTOKIT_JS])[0]]
    wanted = set(lines["headers"].detail["sent"]) - SAFELISTED
    assert {"authorization", "if-none-match", "user-agent"} <= wanted
    preflight = requests.options(
        f"{stage.cache}/orgs/Netflix",
        headers={
            "Origin": "https://pages.example.com",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": ",".join(sorted(wanted)),
        },
        timeout=60,
    )
    assert preflight.ok
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"].split(", ")
    assert wanted <= set(preflight.headers["Access-Control-Allow-Headers"].lower().split(", "))


def test_the_lock_of_octokit_holds_for_every_registry() -> None:
    check_lock(installed.OCTOKIT_JS)
