"""The stand-in GitHub's validators, encodings and headers are GitHub's."""

import gzip
import json
from collections.abc import Iterator

import pytest

from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.etag import matches, weak_etag


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub(repos=25, members=12, anonymous_limit=10_000) as server:
        yield server


def test_an_etag_is_the_hash_of_accept_authorization_cookie_and_compact_body() -> None:
    # Worked out with `printf '*/*:token x:{}' | sha256sum`, and so on.
    assert weak_etag({"cookie": "k=v", "authorization": "Bearer t", "accept": "a/b"}, b"[]") == (
        'W/"761c2c22fe714115103d9ba21da5a5a6395e63de101767bc60cd1ad02c0b4b6a"'
    )
    assert weak_etag({"accept": "*/*", "authorization": "token x"}, b"{}") == (
        'W/"c01648cba7108a3ab1932341d797c5d65d17a887e781f73e7edcaa40a6f9e97c"'
    )
    assert weak_etag({}, b"{}") == (
        'W/"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"'
    )


def test_the_etag_is_of_the_body_before_compression_and_pretty_printing(
    github: FakeGitHub,
) -> None:
    plain = ask(github, "/orgs/Netflix")
    pretty = ask(github, "/orgs/Netflix", {"User-Agent": "curl/8.0"})
    small = ask(github, "/orgs/Netflix", {"Accept-Encoding": "br, gzip"})
    assert plain.headers["etag"] == pretty.headers["etag"] == small.headers["etag"]
    assert plain.headers["etag"] == weak_etag({"accept": "application/json"}, plain.body)
    assert plain.body == json.dumps(plain.json, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8"
    )
    assert pretty.body.startswith(b'{\n  "login": "Netflix",\n')
    assert gzip.decompress(small.body) == plain.body
    assert plain.json == pretty.json == small.json


@pytest.mark.parametrize("refusal", ["gzip;q=0", "identity", "br", "gzip; q=0.0"])
def test_a_body_is_not_compressed_against_the_clients_will(
    github: FakeGitHub, refusal: str
) -> None:
    response = ask(github, "/orgs/Netflix", {"Accept-Encoding": refusal})
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('W/"a"', True), ('"a"', True), ('"b", W/"a"', True), ("*", True), (" * ", True),
        ('W/"b"', False), ("", False), (None, False), ("a", False), ('"A"', False),
    ],
)  # fmt: skip
def test_if_none_match_is_a_list_compared_weakly(header: str | None, expected: bool) -> None:
    assert matches(header, 'W/"a"') is expected


def test_a_matching_validator_gets_304_without_body_or_link(github: FakeGitHub) -> None:
    path = "/orgs/Netflix/repos?per_page=10"
    tag = ask(github, path).headers["etag"]
    fresh = ask(github, path, {"If-None-Match": f'"other", {tag}'})
    assert (fresh.status, fresh.body, fresh.headers["etag"]) == (304, b"", tag)
    assert not {"link", "content-type", "content-length"} & set(fresh.headers)
    github.configure(link_on_304=True)
    assert "next" in ask(github, path, {"If-None-Match": tag}).links


def test_a_changed_resource_is_sent_again_with_another_etag(github: FakeGitHub) -> None:
    path = "/repos/Netflix/Hystrix"
    before = ask(github, path)
    github.mutate("star", repo="Hystrix")
    after = ask(github, path, {"If-None-Match": before.headers["etag"]})
    assert after.status == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert after.headers["last-modified"] == "Thu, 01 Jan 2026 00:00:01 GMT"


def test_headers_are_public_without_a_token_and_private_with_one(github: FakeGitHub) -> None:
    anonymous = ask(github, "/orgs/Netflix").headers
    assert anonymous["cache-control"] == "public, max-age=60, s-maxage=60"
    assert anonymous["vary"] == "Accept, Accept-Encoding, Accept, X-Requested-With"
    authorised = ask(github, "/orgs/Netflix", token="t").headers
    assert authorised["cache-control"] == "private, max-age=60, s-maxage=60"
    assert authorised["vary"] == (
        "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With"
    )


def test_a_request_without_user_agent_is_forbidden_in_plain_text(github: FakeGitHub) -> None:
    response = ask(github, "/", {"User-Agent": None})
    assert response.status == 403
    assert response.body.startswith(b"Request forbidden by administrative rules")
    assert "x-ratelimit-limit" not in response.headers


def test_options_get_a_preflight_response_and_posts_a_404(github: FakeGitHub) -> None:
    preflight = ask(github, "/orgs/Netflix", method="OPTIONS")
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (204, "*")
    assert ask(github, "/orgs/Netflix", method="POST").status == 404


def test_without_rate_limiting_there_are_no_such_headers(github: FakeGitHub) -> None:
    github.configure(rate_limiting=False)
    assert not [name for name in ask(github, "/").headers if name.startswith("x-ratelimit")]
    assert ask(github, "/rate_limit").status == 404


def test_bodies_come_in_chunks_where_switched_on(github: FakeGitHub) -> None:
    whole = ask(github, "/orgs/Netflix/repos")
    github.configure(chunked=True)
    chunked = ask(github, "/orgs/Netflix/repos")
    assert chunked.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in chunked.headers
    assert chunked.body == whole.body
