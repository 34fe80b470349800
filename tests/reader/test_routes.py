"""The paths of the Flask application: what is its own, and that each request goes through it.

The rules of HTTP are asserted in `tests/reader/response`, and that Flask sends what the front sends
in `tests/reader/front/test_equality.py`.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from werkzeug.test import TestResponse

from reader.response.response import CORS_HEADERS
from scripts.embedded_redis import free_port
from shared.entry import Entry
from shared.measures import Measure
from shared.outcomes import FailureKind, Refusal
from shared.queueing import QUEUE, REQUEST_ID
from shared.time_bounds import LONGEST_PAUSE
from tests.builders import (
    CATALOGUE,
    JSON,
    NOW,
    make_entry,
    make_failure,
    make_list_entry,
    make_ranked_entry,
    on_demand,
    queued_names,
    store_entry,
    store_failure,
    tracked,
)
from tests.reader.conftest import MakeApp
from tests.reader.front.helpers import Reader, a_reader
from tests.waiting import eventually

# Far from now either way, so that no test depends on the day it is run.
AGES_AGO, IN_AGES = 1_000_000_000.0, 9_000_000_000.0
STARS = {"Netflix/b": 7, "Netflix/a": 7, "Netflix/z": 9}
FRESH: dict[str, Any] = {"validated_at": AGES_AGO, "fresh_until": IN_AGES}
HELD: dict[str, Entry] = {
    "/": make_entry(b'{"url": "x"}', **FRESH),
    **{f"/orgs/{org}": make_entry(b'{"login": "%s"}' % org.encode(), **FRESH)
       for org in CATALOGUE.orgs},
    **{f"/orgs/{org}/members": make_list_entry(95, **FRESH) for org in CATALOGUE.orgs},
    **{f"/orgs/{org}/repos": make_ranked_entry(STARS, **FRESH) for org in CATALOGUE.orgs},
}  # fmt: skip
LIMITS = {f"X-RateLimit-{name}" for name in ("Limit", "Remaining", "Used", "Reset", "Resource")}
IDS = {"X-Request-Id", "X-GitHub-Request-Id"}
LINKED = make_entry(b"[]", links=(("next", "page=2"),), **FRESH)


def hold(reader: Reader) -> Reader:
    """Fill the local cache of a reader."""
    for name, entry in HELD.items():
        reader.bench.local.put(tracked(name), entry, NOW)
    reader.bench.local.put(on_demand("/users/mona"), make_entry(b'{"login": "mona"}', **FRESH), NOW)
    return reader


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """A reader that holds everything tracked, and a user; it has no Redis and no threads."""
    with a_reader() as made:
        yield hold(made)


@pytest.fixture(scope="module")
def warm(reader: Reader) -> FlaskClient:
    """A client of that reader's Flask application."""
    return reader.app.test_client()


@pytest.fixture(scope="module")
def behind() -> Iterator[FlaskClient]:
    """A client of such a reader behind trusted proxies."""
    with a_reader(trusted_proxies="127.0.0.1, 10.0.0.0/8") as made:
        yield hold(made).app.test_client()


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    """A client of a reader with a Redis, which is empty, and threads."""
    return make_app().test_client()


def assert_error(response: TestResponse, status: int, message: str | None = None) -> None:
    """Every refusal is in GitHub's form, may be read by any page, and is kept by no cache."""
    assert response.status_code == status
    body = json.loads(response.data)
    explained = re.compile("https://docs.github.com/rest|http://localhost/operations(#[a-z]+)?")
    assert explained.fullmatch(body["documentation_url"])
    assert {**body, "documentation_url": ""} == {
        "message": body["message"],
        "documentation_url": "",
        "status": str(status),
    }
    assert body["message"]
    assert message is None or body["message"] == message
    assert response.headers["Content-Type"] == JSON
    assert response.headers["Cache-Control"] == "no-store"
    assert CORS_HEADERS.items() <= dict(response.headers).items()
    assert response.headers["Content-Length"] == str(len(response.data))


def raw(client: FlaskClient, target: str, **known: Any) -> TestResponse:
    """Ask for a request target exactly as it stands."""
    path, _, query = target.partition("?")
    environ = {"RAW_URI": target, "PATH_INFO": path, "QUERY_STRING": query}
    return client.open("/", environ_overrides=environ, **known)


def test_what_is_tracked_is_served(warm: FlaskClient) -> None:
    for name, entry in HELD.items():
        response = warm.get(name)
        assert (response.status_code, response.data) == (200, entry.body)
        assert set(response.headers.keys()) == {
            "ETag", "Vary", "Cache-Control", "Age", "Last-Modified", "Cache-Status", "Content-Type",
            "Content-Length", "X-Request-Id", "X-GitHub-Request-Id", "X-Content-Type-Options",
            "X-GitHub-Media-Type", "X-GitHub-Api-Version-Selected", *LIMITS, *CORS_HEADERS,
        }  # fmt: skip


@pytest.mark.parametrize("path", ["/orgs/Netflix", "/view/top/1/stars"])
def test_a_reload_of_what_is_tracked_is_a_hit(warm: FlaskClient, path: str) -> None:
    response = warm.get(path, headers={"Cache-Control": "max-age=0", "Pragma": "no-cache"})
    assert (response.status_code, "hit;" in response.headers["Cache-Status"]) == (200, True)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "hit; ttl="),
        ({"Cache-Control": "max-age=0"}, "hit; ttl="),  # the store is away
        ({"Pragma": "no-cache"}, "hit; ttl="),
        ({"Cache-Control": 'max-age="', "Pragma": "no-cache"}, "hit; ttl="),
    ],
)
def test_content_is_served_also_if_it_is_older_than_the_client_takes(
    warm: FlaskClient, fields: dict[str, str], status: str
) -> None:
    response = warm.get("/users/mona", headers=fields)
    is_bound = fields.get("Cache-Control") == "max-age=0" or fields == {"Pragma": "no-cache"}
    assert response.status_code == 200
    assert status in response.headers["Cache-Status"]
    assert response.headers["Cache-Status"].endswith(
        "detail=too-old" if is_bound else "detail=local"
    )
    known = {**fields, "If-None-Match": response.headers["ETag"]}
    assert warm.get("/users/mona", headers=known).status_code == 304


def test_only_if_cached_gives_what_is_held(warm: FlaskClient) -> None:
    only = {"Cache-Control": "only-if-cached"}
    assert warm.get("/users/mona", headers=only).status_code == 200


@pytest.mark.parametrize(
    "target",
    ["/ORGS/netflix", "/orgs/NETFLIX", "/orgs/%4Eetflix", "/orgs/Netflix?", "/orgs/Netflix?&"],
)
def test_other_spellings_of_what_is_tracked_are_the_same(warm: FlaskClient, target: str) -> None:
    assert raw(warm, target).data == HELD["/orgs/Netflix"].body


@pytest.mark.parametrize("path", ["/healthcheck", "/livez", "/metrics", "/openapi.json", "/status"])
def test_what_is_ours_is_served_under_the_mount(warm: FlaskClient, path: str) -> None:
    plain, mounted = warm.get(path), warm.get(f"/api/v3{path}")
    assert (mounted.status_code, mounted.mimetype) == (200, plain.mimetype)


@pytest.mark.parametrize(
    "target",
    ["/api/v3/api/v3/status", "/%61pi/v3/status", "/api/v3//orgs/Netflix", "//api/v3/orgs/Netflix",
     "/api/v3x/status", "/api%2Fv3/status", "/api/v3%2Fstatus"],
)  # fmt: skip
def test_nothing_else_is_the_mount(warm: FlaskClient, target: str) -> None:
    path, _, _ = target.partition("?")
    environ = {"RAW_URI": target, "PATH_INFO": unquote(path), "QUERY_STRING": ""}
    assert_error(warm.open("/", environ_overrides=environ), 404)


@pytest.mark.parametrize("path", ["/orgs/Netflix", "/webhooks/github", "/nothing"])
def test_other_methods_are_refused_under_the_mount_as_under_the_root(
    warm: FlaskClient, path: str
) -> None:
    for method in ("DELETE", "OPTIONS", "POST"):
        plain = warm.open(path, method=method)
        mounted = warm.open(f"/api/v3{path}", method=method)
        assert mounted.status_code == plain.status_code
        assert mounted.headers.get("Allow") == plain.headers.get("Allow")


def test_a_view_is_served(warm: FlaskClient) -> None:
    for path, body in (
        ("top/2", b'[["Netflix/z", 9], ["Netflix/a", 7]]'),
        ("bottom/2", b'[["Netflix/a", 7], ["Netflix/b", 7]]'),
    ):
        assert warm.get(f"/view/{path}/stars").data == body


# What a proxy says of the client, as WSGI has it.
FORWARDED = {"HTTP_X_FORWARDED_HOST": "api.test:8443", "HTTP_X_FORWARDED_PROTO": "https"}
PAGE = "/orgs/Netflix/members?page=4"


@pytest.mark.parametrize(
    ("peer", "link"),
    [("10.1.2.3", "https://api.test:8443"), ("11.1.2.3", "http://localhost"),
     ("", "http://localhost")],
)  # fmt: skip
def test_links_lead_to_where_a_trusted_proxy_was_asked(
    behind: FlaskClient, peer: str, link: str
) -> None:
    response = behind.get(PAGE, environ_overrides={**FORWARDED, "REMOTE_ADDR": peer})
    assert response.headers["Link"].startswith(f"<{link}/orgs/Netflix/members?per_page=30&page=3>")


def test_without_proxies_nobody_is_believed_where_links_lead(warm: FlaskClient) -> None:
    plain, forwarded = warm.get(PAGE), warm.get(PAGE, environ_overrides=FORWARDED)
    assert forwarded.headers["Link"] == plain.headers["Link"]


@pytest.mark.parametrize("path", ["/orgs/Netflix", PAGE, "/view/top/1/stars", "/users/nobody"])
def test_a_host_that_is_none_is_a_bad_request(client: FlaskClient, redis: Redis, path: str) -> None:
    for host in ("", "a b", "a@b", "a.test\r\nX: y", "a.test>", "[::1", "\xe4.test"):
        known = {"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": "api.test"}
        response = client.get(path, environ_overrides=known)
        assert_error(response, 400, "The Host header is not a host.")
        assert "Link" not in response.headers
        response = client.head(path, environ_overrides=known)
        assert (response.status_code, response.data) == (400, b"")
    assert "/users/nobody" not in queued_names(redis)  # no refresh was requested on its behalf


@pytest.mark.parametrize("host", ["a..b", ".a", "a" * 64])
def test_a_host_that_flask_refuses_by_itself_is_a_bad_request(warm: FlaskClient, host: str) -> None:
    assert_error(warm.get("/orgs/Netflix", environ_overrides={"HTTP_HOST": host}), 400)


def test_a_host_that_is_none_is_no_reason_to_call_a_process_dead(warm: FlaskClient) -> None:
    known = {"HTTP_HOST": "a b"}  # as a careless balancer's health check might send
    assert warm.get("/livez", environ_overrides=known).status_code == 200


INJECTIONS = [
    'a.test/>; rel="next", <http://evil.test/',
    "a.test\r\nSet-Cookie: a=b",
    "a.test\n\n<html>",
    "a.test>",
    'a.test"',
    "user@evil.test",
    "a.test#",
    "a.test?x=",
    "a.test\x00",
    "a.test\x85",
]
LINK = re.compile(
    r"<(https?://[A-Za-z0-9._:\[\]-]+/[A-Za-z0-9!$&'()*+,;=:@~._/%?-]*)>; rel=\"[a-z]+\""
)


def assert_harmless(response: TestResponse) -> None:
    """Each link is one target and one relation, and leads to a name that was asked for."""
    for name, value in response.headers:
        assert value.isprintable(), name
        assert "evil" not in value or name == "Link"
    for link in re.split(r", (?=<)", response.headers.get("Link", "")):
        found = LINK.fullmatch(link)
        assert found or not link, link
        assert found is None or "evil" not in found[1].partition("/users/")[0]


@pytest.mark.parametrize("field", ["HTTP_HOST", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO"])
def test_no_field_writes_into_links(behind: FlaskClient, field: str) -> None:
    for said in INJECTIONS:
        for value in (said, f"good.test, {said}", f"{said}, good.test"):
            response = behind.get(PAGE, environ_overrides={field: value})
            assert_harmless(response)
            assert response.status_code == (400 if field == "HTTP_HOST" else 200)


@pytest.mark.parametrize("spell", [str, quote], ids=["as it stands", "encoded"])
def test_no_path_writes_into_links(
    reader: Reader, warm: FlaskClient, spell: Callable[[str], str]
) -> None:
    for said in INJECTIONS:
        target = f"/users/mona/{spell(said)}"
        resource = None if "#" in target else CATALOGUE.named(target)
        if resource is not None:
            reader.bench.local.put(resource, LINKED, NOW)
        response = raw(warm, target)
        assert_harmless(response)
        refused = 400 if "#" in target else 404
        assert response.status_code == (refused if resource is None else 200)
        assert ("Link" in response.headers) == (resource is not None)


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("/view/top/0/stars", 400, "'0' is not a whole number from 1."),
        ("/view/top/5/nonsense", 404, "Not Found"),
        ("/view//5/stars", 404, "Not Found"),
        ("/view/top/5/stars/", 404, "Not Found"),
        ("/view/top/1/stars?org=x", 404, "Not Found: the organisation is not tracked here."),
        ("/user", 401, "Requires authentication"),
        ("/orgs/Netflix/hooks", 403, "This cache does not serve this operation: "
         "webhooks and what they deliver; administrators ask."),
        ("/users/a?access_token=x", 403,
         "This cache refuses credentials in a query. It serves only what is public."),
        ("/users/" + "a" * 2000, 414, "This cache serves names of at most 1024 bytes."),
        *(
            (target, 404, "Not Found")
            for target in (
                "//", "///", "/orgs/Netflix/", "/orgs//Netflix", "//orgs/Netflix",
                "/orgs/Netflix/repos/", "/nothing", "/healthcheck/", "/livez/",
                "/users/..", "/users/%2e%2e/orgs", "/users/a%2Fb",
                "/users/a%00", "/repos/Netflix",
                # Two slashes in front name something else.
                "//livez", "///livez", "//healthcheck", "//view/top/1/stars", "//users/mona",
            )
        ),
    ],
)  # fmt: skip
def test_what_is_not_to_be_had_is_refused(
    warm: FlaskClient, target: str, status: int, message: str
) -> None:
    assert_error(raw(warm, target), status, message)


def test_the_path_of_an_asgi_server_is_read_as_it_was_sent(warm: FlaskClient) -> None:
    def ask(raw_path: bytes) -> TestResponse:
        scope = {"asgi.scope": {"raw_path": raw_path}, "QUERY_STRING": "per_page=1&page=2"}
        return warm.get("/users/a/b", environ_overrides={**scope, "RAW_URI": "/users/other"})

    response = ask(b"/orgs/%4eetflix/members")
    assert json.loads(response.data) == [{"id": 2}]
    assert "<http://localhost/orgs/Netflix/members?" in response.headers["Link"]
    assert_error(ask(b"/users/a%2Fb"), 404, "Not Found")


def test_without_the_raw_target_the_decoded_path_is_used(warm: FlaskClient) -> None:
    known = {"RAW_URI": "http://localhost/orgs/Netflix/members?per_page=1&page=2"}
    query = "per_page=1&page=2"
    response = warm.get(f"/orgs/Netflix/members?{query}", environ_overrides=known)
    assert json.loads(response.data) == [{"id": 2}]


EVERY_KIND = ["/", "/orgs/Netflix", "/users/a", "/view/top/1/stars", "/livez", "/healthcheck",
              "/user"]  # fmt: skip


@pytest.mark.parametrize("path", EVERY_KIND)
def test_other_methods_are_not_allowed(warm: FlaskClient, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = warm.open(path, method=method)
        assert_error(
            response,
            405,
            "This is a read cache: it takes GET, HEAD, OPTIONS. Send writes to "
            "https://api.github.com, and GraphQL to https://api.github.com/graphql.",
        )
        assert response.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", EVERY_KIND)
def test_options_are_answered_as_a_browser_asks(warm: FlaskClient, path: str) -> None:
    response = warm.options(path)
    assert (response.status_code, response.data) == (204, b"")
    assert {
        **CORS_HEADERS,
        "Allow": "GET, HEAD, OPTIONS",
        "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
        "Access-Control-Max-Age": "86400",
    }.items() <= dict(response.headers).items()
    assert "Content-Length" not in response.headers
    allowed = response.headers["Access-Control-Allow-Headers"].split(", ")
    # Octokit.js sets User-Agent in a browser too: github.com/octokit/octokit.js/issues/817
    needed = {"Authorization", "If-None-Match", "User-Agent", "X-GitHub-Api-Version"}
    assert needed | {"Cache-Control", "Last-Event-ID", "Pragma"} <= set(allowed)


@pytest.mark.parametrize(
    ("path", "status"),
    [("/orgs/Netflix", 200), ("/view/top/0/stars", 400), ("/user", 401), ("/livez", 200)],
)
def test_head_is_get_without_the_body(warm: FlaskClient, path: str, status: int) -> None:
    get, head = warm.get(path), warm.head(path)
    assert get.status_code == head.status_code == status
    assert head.data == b""
    assert {name: value for name, value in head.headers if name not in IDS} == {
        name: value for name, value in get.headers if name not in IDS
    }


# What is left of GitHub's limits.


def test_what_is_left_is_told_in_githubs_form(warm: FlaskClient) -> None:
    response = warm.get("/rate_limit")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    said = response.json
    assert said is not None
    assert said["rate"] == said["resources"]["core"]
    assert {"core", "search"} <= said["resources"].keys()
    for name, limit in said["resources"].items():
        assert limit.keys() == {"limit", "used", "remaining", "reset"}, name
        assert 1 <= limit["remaining"] == limit["limit"] - limit["used"]
        assert NOW < limit["reset"] <= NOW + 3600
    mounted = warm.get("/api/v3/rate_limit")
    assert (mounted.json, said["rate"]["limit"]) == (said, 60)


@pytest.mark.parametrize(
    ("target", "status", "resource"),
    [
        ("/orgs/Netflix", 200, "core"),
        ("/users/mona", 200, "core"),
        ("/rate_limit", 200, "core"),
        ("/nothing", 404, "core"),
        ("/user", 401, "core"),
        ("/search/code", 403, "code_search"),
        ("/search/users?q=x", 503, "search"),
        ("/api/v3/search/users?q=x", 503, "search"),
        ("/view/top/0/stars", 400, "core"),
    ],
)
def test_each_response_says_it_and_never_that_nothing_is_left(
    warm: FlaskClient, target: str, status: int, resource: str
) -> None:
    response = warm.get(target)
    assert response.status_code == status
    said = {name: response.headers[name] for name in LIMITS}
    assert said["X-RateLimit-Resource"] == resource
    assert int(said["X-RateLimit-Remaining"]) >= 1


def test_a_304_says_it_too(warm: FlaskClient) -> None:
    tag = warm.get("/orgs/Netflix").headers["ETag"]
    response = warm.get("/orgs/Netflix", headers={"If-None-Match": tag})
    assert response.status_code == 304
    assert set(response.headers.keys()) >= LIMITS


def test_only_a_refusal_for_want_of_budget_says_that_nothing_is_left(
    make_app: MakeApp, redis: Redis
) -> None:
    now = make_app().extensions["process"].clock()
    spent = make_failure(
        kind=FailureKind.RATE_LIMITED, reason="GitHub's rate limit is spent", at=now, since=now,
        retry_at=now + 900,
    )  # fmt: skip
    store_failure(redis, on_demand("/users/mona"), spent)
    client = make_app(miss_wait=10).test_client()
    response = client.get("/users/mona")
    assert_error(
        response, 429, "API rate limit exceeded for this cache: GitHub's rate limit is spent"
    )
    wait = int(response.headers["Retry-After"])
    assert 890 <= wait <= 900
    assert response.headers["X-RateLimit-Remaining"] == "0"
    assert response.headers["X-RateLimit-Used"] == response.headers["X-RateLimit-Limit"]
    assert abs(int(response.headers["X-RateLimit-Reset"]) - (now + 900)) <= 3
    assert int(client.get("/rate_limit").headers["X-RateLimit-Remaining"]) >= 1


# What comes from Redis, or does not come.


def test_what_is_on_demand_is_served_from_redis(client: FlaskClient, redis: Redis) -> None:
    body = b'{"message":"Not Found","documentation_url":"x","status":"404"}'
    now = {"validated_at": time.time(), "fresh_until": time.time() + 50}
    store_entry(redis, on_demand("/users/nobody"), make_entry(body, status=404, **now))
    first, second = client.get("/users/Nobody"), client.get("/users/nobody")
    assert first.status_code == second.status_code == 404
    assert first.data == second.data == body
    assert first.headers["Cache-Status"].endswith("; detail=redis")
    assert second.headers["Cache-Status"].endswith("; detail=local")


def test_what_never_comes_is_unavailable(client: FlaskClient, redis: Redis) -> None:
    response = client.get("/users/mona?page=2")
    assert_error(response, 503, "The content is still being fetched from GitHub.")
    assert response.headers["Retry-After"] == "1"
    eventually(lambda: "/users/mona?page=2" in queued_names(redis))


def test_what_is_tracked_but_nowhere_yet_is_unavailable(client: FlaskClient) -> None:
    for path in ("/orgs/Netflix", "/orgs/Netflix/repos?page=1", "/view/top/1/stars"):
        assert_error(client.get(path), 503)


def test_a_recorded_failure_is_told_at_once(make_app: MakeApp, redis: Redis) -> None:
    store_failure(redis, on_demand("/users/mona"), make_failure(retry_at=IN_AGES))
    client = make_app(miss_wait=60).test_client()
    response = client.get("/users/mona")
    assert_error(response, 503, "GitHub could not be read: GitHub answered 502")
    assert int(response.headers["Retry-After"]) == LONGEST_PAUSE


def test_without_redis_a_miss_is_unavailable(make_app: MakeApp) -> None:
    client = make_app(redis_url=f"redis://127.0.0.1:{free_port()}/0").test_client()
    assert_error(client.get("/users/mona"), 503, "The cache's store cannot be reached.")
    assert client.get("/livez").status_code == 200
    assert client.get("/healthcheck").status_code == 503


def test_stale_content_is_served_and_a_refresh_asked_for(client: FlaskClient, redis: Redis) -> None:
    entry = make_entry(b'{"login": "old"}', validated_at=AGES_AGO, fresh_until=AGES_AGO + 1)
    store_entry(redis, on_demand("/users/mona"), entry)
    response = client.get("/users/mona")
    assert (response.status_code, response.data) == (200, b'{"login": "old"}')
    assert int(response.headers["Age"]) > 1
    assert "; ttl=-" in response.headers["Cache-Status"]
    eventually(lambda: "/users/mona" in queued_names(redis))


# Health, where no ASGI application responds first.


def test_the_process_says_that_it_lives(client: FlaskClient) -> None:
    response = client.get("/livez")
    assert (response.status_code, response.json) == (200, {"status": "ok"})


def test_the_healthcheck_names_what_is_missing(client: FlaskClient) -> None:
    response = client.get("/healthcheck")
    assert response.status_code == 503
    assert response.json == {
        "status": "unavailable",
        "missing": [resource.name for resource in CATALOGUE.tracked],
    }


def test_the_healthcheck_is_good_once_all_can_be_served_and_stays_good(
    client: FlaskClient, redis: Redis
) -> None:
    for resource in CATALOGUE.tracked:
        store_entry(redis, resource, HELD.get(resource.name, make_list_entry(1)))
    for resource in CATALOGUE.tracked:
        assert client.get(resource.name).status_code == 200
    for _ in range(2):
        response = client.get("/healthcheck")
        assert (response.status_code, response.json) == (200, {"status": "ok"})
        assert client.get("/orgs/Netflix").status_code == 200
        redis.flushall()  # Redis loses everything


# What each kind of request is answered with, and counted as, once content is in memory.
COUNTED = [
    ("GET", "/", ("/", "local", "200")),
    ("GET", "/orgs/Netflix", ("/orgs/{org}", "local", "200")),
    ("HEAD", "/orgs/Google/members", ("/orgs/{org}/members", "local", "200")),
    ("GET", "/orgs/Netflix/repos?page=2", ("/orgs/{org}/repos", "local", "200")),
    ("GET", "/view/top/1/stars", ("/view/{direction}/{count}/{metric}", "local", "200")),
    ("GET", "/users/mona", ("on-demand", "local", "200")),
    ("GET", "/users/nobody", ("on-demand", "unavailable", "503")),
    ("GET", "/view/top/0/stars", ("other", "refused", "400")),
    ("GET", "/user", ("other", "refused", "401")),
    ("GET", "/nothing", ("other", "refused", "404")),
    ("GET", "//orgs/Netflix", ("other", "refused", "404")),
    ("POST", "/orgs/Netflix", ("other", "refused", "405")),
    ("OPTIONS", "/orgs/Netflix", ("other", "own", "204")),
    ("POST", "/webhooks/github", ("/webhooks/github", "refused", "404")),
    ("GET", "/livez", ("/livez", "own", "200")),
    ("GET", "/metrics", ("/metrics", "own", "200")),
]


class TestRequestIds:
    """Each request has a name, in its answer, in the log, and in the refresh that it causes."""

    @pytest.mark.parametrize(("method", "target", "counted"), COUNTED)
    def test_that_are_sent_come_back_whatever_the_answer_is(
        self, warm: FlaskClient, method: str, target: str, counted: tuple[str, ...]
    ) -> None:
        answered = raw(warm, target, method=method, headers={"X-Request-Id": "abc-123"})
        assert answered.status_code == int(counted[-1])
        for name in IDS:  # GitHub's clients show the second one
            assert answered.headers.getlist(name) == ["abc-123"]

    @pytest.mark.parametrize("target", ["/orgs/Netflix", "/user", "/livez"])
    @pytest.mark.parametrize("odd", ["two words", "x" * 129, "<script>", "caf\xe9", "", "a,b"])
    def test_that_are_odd_are_replaced(self, warm: FlaskClient, target: str, odd: str) -> None:
        answered = warm.get(target, headers={"X-Request-Id": odd})
        assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]+", answered.headers["X-Request-Id"])

    def test_are_given_to_who_has_none_another_each_time(self, warm: FlaskClient) -> None:
        targets = ["/orgs/Netflix", "/user", "/livez"] * 5
        given = [warm.get(target).headers["X-Request-Id"] for target in targets]
        assert len(set(given)) == len(targets)

    def test_are_in_the_refresh_that_is_asked_for(self, client: FlaskClient, redis: Redis) -> None:
        answered = client.get("/users/mona", headers={"X-Request-Id": "abc-123"})
        assert answered.status_code == 503
        jobs = Queue(QUEUE, connection=redis, serializer=JSONSerializer).jobs
        named = {str(job.args[0]): job.meta.get(REQUEST_ID) for job in jobs}
        assert named["/users/mona"] == "abc-123"

    def test_stay_with_an_error_of_our_own(
        self, warm: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("reader.routes.respond", fail)
        answered = warm.get("/orgs/Netflix", headers={"X-Request-Id": "abc-123"})
        assert_error(answered, 500)
        assert answered.headers["X-Request-Id"] == "abc-123"


def test_each_refused_miss_is_counted_by_its_cause(reader: Reader, warm: FlaskClient) -> None:
    def count() -> float:
        measures, _, _ = reader.bench.reporter.node()
        return measures.of(Measure.REFUSALS).get((Refusal.STORE_AWAY,), 0)

    before = count()
    for number in range(3):
        assert_error(warm.get(f"/users/nobody{number}"), 503)
    assert_error(warm.get("/user"), 401)
    assert count() == before + 3


@pytest.fixture
def counted_by(reader: Reader) -> Callable[[], dict[tuple[str, ...], float]]:
    """How the reader has counted requests since this was called last."""
    before: dict[tuple[str, ...], float] = {}

    def since() -> dict[tuple[str, ...], float]:
        measures, _, _ = reader.bench.reporter.node()
        now = measures.of(Measure.REQUESTS)
        found = {labels: number - before.get(labels, 0) for labels, number in now.items()}
        before.update(now)
        return {labels: number for labels, number in found.items() if number}

    since()
    return since


@pytest.mark.parametrize(("method", "target", "counted"), COUNTED)
def test_each_request_is_counted_once_as_what_it_is(
    warm: FlaskClient,
    counted_by: Callable[[], dict[tuple[str, ...], float]],
    method: str,
    target: str,
    counted: tuple[str, ...],
) -> None:
    assert raw(warm, target, method=method).status_code == int(counted[-1])
    assert counted_by() == {counted: 1}


def test_what_did_not_change_is_counted_apart(
    warm: FlaskClient, counted_by: Callable[[], dict[tuple[str, ...], float]]
) -> None:
    for _ in range(3):
        warm.get("/orgs/Netflix")
    assert warm.get("/orgs/Netflix", headers={"If-None-Match": '"tag"'}).status_code == 304
    assert counted_by() == {
        ("/orgs/{org}", "local", "200"): 3,
        ("/orgs/{org}", "local", "304"): 1,
    }


FROM = ("local", "redis")  # where content comes from; the first to load it may be the synchronizer


class TestMetrics:
    """What Prometheus reads of a reader."""

    def samples(self, client: FlaskClient) -> dict[tuple[str, ...], float]:
        answered = client.get("/metrics")
        assert answered.status_code == 200
        assert answered.headers["Content-Type"].startswith("text/plain; version=")
        assert answered.headers["Cache-Control"] == "no-store"
        families = text_string_to_metric_families(answered.text)
        return {
            (one.name.removeprefix("api_read_cache_"), *one.labels.values()): one.value
            for family in families
            for one in family.samples
        }

    def test_are_of_the_process_its_content_and_the_fleet(
        self, client: FlaskClient, redis: Redis
    ) -> None:
        store_entry(redis, tracked("/orgs/Netflix"), HELD["/orgs/Netflix"])
        for _ in range(2):
            client.get("/orgs/Netflix")
        found = self.samples(client)
        served = [found.get(("requests_total", one, "/orgs/{org}", "200"), 0) for one in FROM]
        assert sum(served) == 2
        assert found["resource_servable", "/orgs/Netflix"] == 1
        assert found["reader_processes",] == 1
        assert found["redis_up",] == 1
        assert found["workers", "idle"] == 0

    def test_count_themselves_the_next_time(self, client: FlaskClient) -> None:
        own = ("requests_total", "own", "/metrics", "200")
        assert own not in self.samples(client)
        assert self.samples(client)[own] == 1

    def test_are_there_without_redis(self, make_app: MakeApp) -> None:
        client = make_app(redis_url=f"redis://127.0.0.1:{free_port()}/0").test_client()
        found = self.samples(client)
        assert found["redis_up",] == 0
        assert found["resource_servable", "/orgs/Netflix"] == 0
        assert not any(name == "queue_length" for name, *_ in found)
