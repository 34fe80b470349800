"""What may be sent to GitHub: everything that reads, and two requests that change nothing."""

import pytest
import requests

from refresher.github.permitted_requests import ForbiddenRequestError, check
from refresher.github.transport import Transport, prepared
from shared.clock import SYSTEM
from tests.fakegithub.client import FakeGitHub
from tests.refresher.workbench import make_settings

BASES = ("https://api.github.com", "https://github.example/api/v3")
ALLOWED = (
    "/app/installations/678/access_tokens",
    "/app/hook/deliveries/12345678901/attempts",
    "/orgs/Netflix/hooks/7/deliveries/12345678901/attempts",
)
FORBIDDEN = (
    "/orgs/Netflix/hooks",
    "/orgs/Netflix/hooks/7/pings",
    "/orgs/Netflix/hooks/7/deliveries/1/attempts?x=1",
    "/orgs/Net/flix/hooks/7/deliveries/1/attempts",
    "/orgs/../hooks/7/deliveries/1/attempts",
    "/repos/Netflix/Hystrix/issues",
    "/app/hook/deliveries/1/attempts/2",
    "/graphql",
)


@pytest.mark.parametrize("base", BASES)
def test_everything_may_be_read_and_two_requests_may_be_posted(base: str) -> None:
    for path in (*ALLOWED, *FORBIDDEN):
        check("GET", base + path, base=base)
    for path in ALLOWED:
        check("POST", base + path, base=base)


@pytest.mark.parametrize("path", FORBIDDEN)
@pytest.mark.parametrize("base", BASES)
def test_nothing_else_may_be_posted(base: str, path: str) -> None:
    with pytest.raises(ForbiddenRequestError):
        check("POST", base + path, base=base)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get", None])
def test_other_methods_are_never_sent(method: str | None) -> None:
    for path in ALLOWED:
        with pytest.raises(ForbiddenRequestError):
            check(method, BASES[0] + path, base=BASES[0])


def test_another_host_gets_no_post() -> None:
    for url in (f"https://evil.example{ALLOWED[1]}", f"{BASES[0]}.evil.example{ALLOWED[1]}"):
        with pytest.raises(ForbiddenRequestError):
            check("POST", url, base=BASES[0])


def test_the_transport_sends_nothing_that_may_not_be_sent(github: FakeGitHub) -> None:
    transport = Transport(make_settings(github.url), clock=SYSTEM)
    request: requests.PreparedRequest = prepared("POST", f"{github.url}/orgs/Netflix/repos", {})
    with (
        pytest.raises(ForbiddenRequestError),
        transport.exchange(request, ends_at=SYSTEM.monotonic() + 5),
    ):
        pass
    assert github.counters()["total"] == 0
    transport.close()
