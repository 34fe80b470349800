import gzip
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import brotli
import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from werkzeug.test import TestResponse

from reader.process import ReaderProcess
from reader.response.response import CORS_HEADERS
from scripts.embedded_redis import free_port
from shared.entry import Entry
from shared.measures import Measure
from shared.queueing import QUEUE, REQUEST_ID
from shared.redis import keys
from tests.builders import (
    CATALOGUE,
    JSON,
    compressed,
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
from tests.waiting import eventually

# Far from now either way, so that no test depends on the day it is run.
AGES_AGO, IN_AGES = 1_000_000_000.0, 9_000_000_000.0
STARS = {"Netflix/b": 7, "Netflix/a": 7, "Netflix/z": 9}
METRICS = ["forks", "last_updated", "open_issues", "stars", "watchers"]


def fresh(entry: Entry) -> Entry:
    known = {"validated_at": AGES_AGO, "fresh_until": IN_AGES}
    return Entry(
        type(entry.metadata)(**{**vars(entry.metadata), **known}),
        entry.body,
        entry.encoded,
        entry.ends,
        entry.views,
    )


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    return make_app().test_client()


@pytest.fixture
def warm(redis: Redis, client: FlaskClient) -> FlaskClient:
    """A client of a reader whose Redis holds everything tracked, and a user."""
    for org in CATALOGUE.orgs:
        store_entry(redis, tracked(f"/orgs/{org}"), fresh(make_entry(b'{"login": "%a"}' % org)))
        store_entry(redis, tracked(f"/orgs/{org}/members"), fresh(make_list_entry(95)))
        values = {name.replace("Netflix", org): stars for name, stars in STARS.items()}
        store_entry(redis, tracked(f"/orgs/{org}/repos"), fresh(make_ranked_entry(values)))
    store_entry(redis, tracked("/"), fresh(compressed(make_entry(b'{"url": "x"}'))))
    store_entry(redis, on_demand("/users/mona"), fresh(make_entry(b'{"login": "mona"}')))
    return client


def assert_error(response: TestResponse, status: int, message: str | None = None) -> None:
    """Every refusal is in GitHub's form, may be read by any page, and is kept by no cache."""
    assert response.status_code == status
    body = json.loads(response.data)
    assert body == {
        "message": body["message"],
        "documentation_url": "https://docs.github.com/rest",
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


@pytest.mark.parametrize("path", [one.name for one in CATALOGUE.tracked])
def test_what_is_tracked_is_served(warm: FlaskClient, path: str) -> None:
    answered = warm.get(path)
    assert answered.status_code == 200
    assert answered.headers["Content-Type"] == JSON
    assert answered.headers["ETag"] == '"tag"'
    assert answered.headers["Access-Control-Allow-Origin"] == "*"
    assert answered.headers["Cache-Status"].startswith("api-read-cache; hit; ttl=")
    assert answered.headers["Content-Length"] == str(len(answered.data))


def test_a_whole_answer_has_these_headers_and_no_others(warm: FlaskClient) -> None:
    answered = warm.get("/orgs/Netflix")
    assert set(answered.headers.keys()) == {
        "ETag", "Vary", "Cache-Control", "Age", "Last-Modified", "Cache-Status", "Content-Type",
        "Content-Length", "X-Request-Id", *CORS_HEADERS,
    }  # fmt: skip
    assert answered.data == b'{"login": "\'Netflix\'"}'


@pytest.mark.parametrize(
    "target",
    ["/ORGS/netflix", "/orgs/NETFLIX", "/orgs/%4Eetflix", "/orgs/Netflix?", "/orgs/Netflix?&"],
)
def test_other_spellings_of_what_is_tracked_are_the_same(warm: FlaskClient, target: str) -> None:
    assert raw(warm, target).data == warm.get("/orgs/Netflix").data


def test_an_expanded_list_is_sent_whole(warm: FlaskClient) -> None:
    answered = warm.get("/orgs/Netflix/members")
    assert [item["id"] for item in json.loads(answered.data)] == list(range(1, 96))
    assert "Link" not in answered.headers


def test_a_page_is_a_slice_with_links_to_the_reader(warm: FlaskClient) -> None:
    answered = warm.get("/orgs/netflix/members?per_page=40&page=2")
    assert [item["id"] for item in json.loads(answered.data)] == list(range(41, 81))
    url = "http://localhost/orgs/netflix/members?per_page=40&page="
    assert answered.headers["Link"] == (
        f'<{url}1>; rel="prev", <{url}3>; rel="next", <{url}3>; rel="last", <{url}1>; rel="first"'
    )


def test_links_name_the_scheme_and_host_that_the_client_used(warm: FlaskClient) -> None:
    answered = warm.get("/orgs/Netflix/members?page=4", base_url="https://cache.test:8443")
    assert answered.headers["Link"].startswith("<https://cache.test:8443/orgs/Netflix/members?")


# What a proxy says of the client, as WSGI has it.
FORWARDED = {"HTTP_X_FORWARDED_HOST": "api.test:8443", "HTTP_X_FORWARDED_PROTO": "https"}
PAGE = "/orgs/Netflix/members?page=4"


@pytest.mark.parametrize(
    ("peer", "link"),
    [
        ("10.1.2.3", "https://api.test:8443"),
        ("::ffff:10.1.2.3", "https://api.test:8443"),
        ("2001:db8::7", "https://api.test:8443"),
        ("11.1.2.3", "http://localhost"),
        ("::ffff:11.1.2.3", "http://localhost"),
        ("2001:db9::7", "http://localhost"),
        ("127.0.0.1", "http://localhost"),
        ("", "http://localhost"),
    ],
)
def test_links_lead_to_where_a_trusted_proxy_was_asked(
    make_app: MakeApp, warm: FlaskClient, peer: str, link: str
) -> None:
    # Redis is warm; this reader stands behind proxies.
    behind = make_app(trusted_proxies="10.0.0.0/8, 2001:db8::/32").test_client()
    answered = behind.get(PAGE, environ_overrides={**FORWARDED, "REMOTE_ADDR": peer})
    assert answered.headers["Link"].startswith(f"<{link}/orgs/Netflix/members?per_page=30&page=3>")


def test_without_proxies_nobody_is_believed_where_links_lead(warm: FlaskClient) -> None:
    plain, forwarded = warm.get(PAGE), warm.get(PAGE, environ_overrides=FORWARDED)
    assert forwarded.headers["Link"] == plain.headers["Link"]


def test_what_a_client_says_before_its_proxy_counts_for_nothing(
    make_app: MakeApp, warm: FlaskClient
) -> None:
    behind = make_app(trusted_proxies="127.0.0.1").test_client()
    known = {
        "HTTP_X_FORWARDED_HOST": "evil.test, api.test",
        "HTTP_X_FORWARDED_PROTO": "javascript, https",
    }
    link = behind.get(PAGE, environ_overrides=known).headers["Link"]
    assert link.startswith("<https://api.test/orgs/")
    assert "evil" not in link


@pytest.mark.parametrize("path", ["/orgs/Netflix", PAGE, "/view/top/1/stars", "/users/nobody"])
@pytest.mark.parametrize(
    "host",
    ["", "a b", "a/b", "a@b", "a.test:x", "a,b", '"', "<a>", "a.test\r\nX: y", "a.test>", "[::1",
     "\xe4.test", "a.test\n"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_host_that_is_none_is_a_bad_request(
    warm: FlaskClient, redis: Redis, method: str, host: str, path: str
) -> None:
    known = {"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": "api.test"}
    answered = warm.open(path, method=method, environ_overrides=known)
    if method == "HEAD":
        assert (answered.status_code, answered.data) == (400, b"")
    else:
        assert_error(answered, 400, "The Host header is not a host.")
    assert "Link" not in answered.headers
    assert queued_names(redis) == []  # nothing was asked for on its behalf


@pytest.mark.parametrize("host", ["a..b", ".a", "a" * 64])
def test_a_host_that_flask_refuses_by_itself_is_a_bad_request(warm: FlaskClient, host: str) -> None:
    assert_error(warm.get("/orgs/Netflix", environ_overrides={"HTTP_HOST": host}), 400)


def test_a_host_that_is_none_is_no_reason_to_call_a_process_dead(client: FlaskClient) -> None:
    known = {"HTTP_HOST": "a b"}  # as a careless balancer's health check might send
    assert client.get("/livez", environ_overrides=known).status_code == 200


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


def assert_harmless(answered: TestResponse) -> None:
    """Each link is one target and one relation, and leads to a name that was asked for."""
    for name, value in answered.headers:
        assert value.isprintable(), name
        assert "evil" not in value or name == "Link"
    for link in re.split(r", (?=<)", answered.headers.get("Link", "")):
        found = LINK.fullmatch(link)
        assert found or not link, link
        assert found is None or "evil" not in found[1].partition("/users/")[0]


@pytest.mark.parametrize("said", INJECTIONS)
@pytest.mark.parametrize("field", ["HTTP_HOST", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO"])
def test_no_field_writes_into_links(
    make_app: MakeApp, warm: FlaskClient, field: str, said: str
) -> None:
    behind = make_app(trusted_proxies="127.0.0.1").test_client()
    for value in (said, f"good.test, {said}", f"{said}, good.test"):
        answered = behind.get(PAGE, environ_overrides={field: value})
        assert_harmless(answered)
        assert answered.status_code == (400 if field == "HTTP_HOST" else 200)


@pytest.mark.parametrize("said", INJECTIONS)
@pytest.mark.parametrize("spell", [str, quote], ids=["as it stands", "encoded"])
def test_no_path_writes_into_links(
    make_app: MakeApp, redis: Redis, said: str, spell: Callable[[str], str]
) -> None:
    client = make_app().test_client()
    target = f"/users/mona/{spell(said)}"
    resource = CATALOGUE.named(target)
    if resource is not None:
        store_entry(redis, resource, fresh(make_entry(b"[]", links=(("next", "page=2"),))))
    answered = raw(client, target)
    assert_harmless(answered)
    assert answered.status_code == (404 if resource is None else 200)
    assert ("Link" in answered.headers) == (resource is not None)


def test_a_client_that_paginates_gets_every_item_once(warm: FlaskClient) -> None:
    ids: list[int] = []
    url: str | None = "/orgs/Netflix/members?per_page=10"
    while url is not None:
        answered = warm.get(url)
        ids += [item["id"] for item in json.loads(answered.data)]
        links = answered.headers.get("Link", "").split(", ")
        url = next((one[1 : one.index(">")] for one in links if 'rel="next"' in one), None)
    assert ids == list(range(1, 96))


def test_a_page_of_a_single_object_is_another_resource(warm: FlaskClient, redis: Redis) -> None:
    assert_error(warm.get("/orgs/Netflix?page=2"), 503)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("top/2", b'[["Netflix/z", 9], ["Netflix/a", 7]]'),
        ("bottom/2", b'[["Netflix/a", 7], ["Netflix/b", 7]]'),
        ("top/1", b'[["Netflix/z", 9]]'),
        ("bottom/9999999999999999999", b'[["Netflix/z", 9], ["Netflix/a", 7], ["Netflix/b", 7]]'),
    ],
)
def test_a_view_is_served(warm: FlaskClient, path: str, metric: str, expected: bytes) -> None:
    answered = warm.get(f"/view/{path}/{metric}")
    assert (answered.status_code, answered.data) == (200, expected)
    assert answered.headers["Content-Type"] == JSON


@pytest.mark.parametrize("org", ["Google", "google"])
def test_a_view_of_another_organisation_is_picked(warm: FlaskClient, org: str) -> None:
    answered = warm.get(f"/view/top/1/stars?org={org}")
    assert json.loads(answered.data) == [["Google/z", 9]]


@pytest.mark.parametrize("org", ["Microsoft", ""])
def test_a_view_of_an_organisation_that_is_not_tracked_is_not_found(
    warm: FlaskClient, org: str
) -> None:
    message = "Not Found: the organisation is not tracked here."
    assert_error(warm.get(f"/view/top/1/stars?org={org}"), 404, message)


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "abc", "%20", "%D9%A1", "+1", "0" * 5000])
def test_a_view_of_a_bad_count_is_a_bad_request(warm: FlaskClient, count: str) -> None:
    assert_error(warm.get(f"/view/top/{count}/stars"), 400)


@pytest.mark.parametrize(
    "path",
    ["/view", "/view/top", "/view/top/5", "/view/top/5/size", "/view/mid/5/stars",
     "/view/top/5/stars/", "/view/top/5/stars/x", "/view//5/stars", "/view/top//stars"],
)  # fmt: skip
def test_an_unknown_view_is_not_found(warm: FlaskClient, path: str) -> None:
    assert_error(raw(warm, path), 404, "Not Found")


def test_what_is_on_demand_is_served_from_redis(warm: FlaskClient) -> None:
    first, second = warm.get("/users/Mona"), warm.get("/users/mona")
    assert first.data == second.data == b'{"login": "mona"}'
    assert first.headers["Cache-Status"].endswith("; detail=redis")
    assert second.headers["Cache-Status"].endswith("; detail=local")


def test_a_stored_404_is_sent_as_it_came(redis: Redis, client: FlaskClient) -> None:
    body = b'{"message":"Not Found","documentation_url":"x","status":"404"}'
    store_entry(redis, on_demand("/users/nobody"), fresh(make_entry(body, status=404)))
    answered = client.get("/users/nobody")
    assert (answered.status_code, answered.data) == (404, body)
    assert answered.headers["ETag"] == '"tag"'


def test_stored_links_lead_to_the_reader(redis: Redis, client: FlaskClient) -> None:
    entry = make_entry(b"[]", links=(("next", "page=2"), ("last", "page=9")))
    store_entry(redis, on_demand("/users/mona/repos"), fresh(entry))
    answered = client.get("/users/mona/repos")
    url = "http://localhost/users/mona/repos"
    assert answered.headers["Link"] == f'<{url}?page=2>; rel="next", <{url}?page=9>; rel="last"'


@pytest.mark.parametrize(
    "target",
    ["//", "///", "/orgs/Netflix/", "/orgs//Netflix", "//orgs/Netflix", "/orgs/Netflix/repos/",
     "/user", "/nothing", "/healthcheck/", "/livez/", "/orgs/Netflix/hooks", "/users/..",
     "/users/%2e%2e/orgs", "/users/a%2Fb", "/users/a%00", "/?page=2", "/users/a?access_token=x",
     "/repos/Netflix", "/users/" + "a" * 2000],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET"])
def test_what_is_not_to_be_had_is_not_found(
    warm: FlaskClient, redis: Redis, target: str, method: str
) -> None:
    assert_error(raw(warm, target, method=method), 404, "Not Found")
    assert "/users/a" not in queued_names(redis)


@pytest.mark.parametrize(
    "target", ["//livez", "///livez", "//healthcheck", "//view/top/1/stars", "//users/mona"]
)
def test_two_slashes_in_front_name_something_else(warm: FlaskClient, target: str) -> None:
    for resource in CATALOGUE.tracked:
        warm.get(resource.name)
    assert_error(raw(warm, target), 404, "Not Found")


def test_the_path_of_an_asgi_server_is_read_as_it_was_sent(warm: FlaskClient) -> None:
    def ask(raw_path: bytes) -> TestResponse:
        scope = {"asgi.scope": {"raw_path": raw_path}, "QUERY_STRING": "per_page=1&page=2"}
        return warm.get("/users/a/b", environ_overrides={**scope, "RAW_URI": "/users/other"})

    answered = ask(b"/orgs/%4eetflix/members")
    assert json.loads(answered.data) == [{"id": 2}]
    assert "<http://localhost/orgs/Netflix/members?" in answered.headers["Link"]
    assert_error(ask(b"/users/a%2Fb"), 404, "Not Found")


def test_without_the_raw_target_the_decoded_path_is_used(warm: FlaskClient) -> None:
    known = {"RAW_URI": "http://localhost/orgs/Netflix/members?per_page=1&page=2"}
    query = "per_page=1&page=2"
    answered = warm.get(f"/orgs/Netflix/members?{query}", environ_overrides=known)
    assert json.loads(answered.data) == [{"id": 2}]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/", "/orgs/Netflix", "/users/a", "/view/top/1/stars", "/livez", "/healthcheck", "/user"],
)
def test_other_methods_are_not_allowed(client: FlaskClient, method: str, path: str) -> None:
    answered = client.open(path, method=method)
    assert_error(answered, 405, "Method Not Allowed")
    assert answered.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "path",
    ["/", "/orgs/Netflix", "/users/a", "/view/top/1/stars", "/livez", "/healthcheck", "/user"],
)
def test_options_are_answered_as_a_browser_asks(client: FlaskClient, path: str) -> None:
    answered = client.options(path)
    assert (answered.status_code, answered.data) == (204, b"")
    assert {
        **CORS_HEADERS,
        "Allow": "GET, HEAD, OPTIONS",
        "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
        "Access-Control-Max-Age": "86400",
    }.items() <= dict(answered.headers).items()
    allowed = answered.headers["Access-Control-Allow-Headers"].split(", ")
    # Octokit.js sets User-Agent in a browser too: github.com/octokit/octokit.js/issues/817
    needed = {"Authorization", "If-None-Match", "User-Agent", "X-GitHub-Api-Version"}
    assert needed <= set(allowed)


def test_options_send_no_body_and_say_nothing_of_one(client: FlaskClient) -> None:
    answered = client.options("/")
    assert "Content-Length" not in answered.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/orgs/Netflix", 200),
        ("/orgs/Netflix/members?page=2", 200),
        ("/view/top/1/stars", 200),
        ("/view/top/0/stars", 400),
        ("/user", 404),
        ("/livez", 200),
    ],
)
def test_head_is_get_without_the_body(warm: FlaskClient, path: str, status: int) -> None:
    warm.get(path)  # so that both are served from memory
    get, head = warm.get(path), warm.head(path)
    changing = {"Age", "Cache-Control", "Cache-Status", "X-Request-Id"}
    assert get.status_code == head.status_code == status
    assert head.data == b""
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in get.headers.items() if k not in changing
    }


def test_compression_is_negotiated(warm: FlaskClient) -> None:
    for accepted, encoding, decompress in (
        ("gzip, deflate, br", "br", brotli.decompress),
        ("br;q=0.5, gzip", "gzip", gzip.decompress),
    ):
        answered = warm.get("/", headers={"Accept-Encoding": accepted})
        assert answered.headers["Content-Encoding"] == encoding
        assert answered.headers["ETag"] == f'"tag-{encoding}"'
        assert answered.headers["Vary"] == "Accept-Encoding"
        assert decompress(answered.data) == b'{"url": "x"}'
    plain = warm.get("/", headers={"Accept-Encoding": "br;q=0, gzip;q=0"})
    assert "Content-Encoding" not in plain.headers
    assert plain.data == b'{"url": "x"}'


def test_what_an_older_refresher_stored_is_sent(warm: FlaskClient, redis: Redis) -> None:
    redis.hdel(keys.entry(tracked("/")), "body:br")
    answered = warm.get("/", headers={"Accept-Encoding": "gzip, br"})
    assert answered.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answered.data) == b'{"url": "x"}'


def test_a_known_validator_gets_304(warm: FlaskClient) -> None:
    answered = warm.get("/orgs/Netflix", headers={"If-None-Match": '"x", W/"tag"'})
    assert (answered.status_code, answered.data) == (304, b"")
    assert answered.headers["ETag"] == '"tag"'
    assert not {"Content-Length", "Content-Type"} & set(answered.headers.keys())


@pytest.mark.parametrize("path", ["/orgs/Netflix", PAGE, "/view/top/1/stars", "/users/mona"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_did_not_change_since_a_date_gets_304(
    warm: FlaskClient, method: str, path: str
) -> None:
    whole = warm.get(path)
    known = {"If-Modified-Since": whole.headers["Last-Modified"]}
    answered = warm.open(path, method=method, headers=known)
    assert (answered.status_code, answered.data) == (304, b"")
    for name in ("ETag", "Last-Modified", "Vary", "Cache-Control", "Link"):
        assert answered.headers.get(name) == whole.headers.get(name)
    assert not {"Content-Length", "Content-Type"} & set(answered.headers.keys())


def test_what_changed_since_a_date_is_sent(warm: FlaskClient) -> None:
    before = {"If-Modified-Since": "Fri, 15 Jan 2027 07:59:59 GMT"}
    answered = warm.get("/orgs/Netflix", headers=before)
    assert (answered.status_code, answered.data) == (200, warm.get("/orgs/Netflix").data)


def test_a_tag_counts_for_more_than_a_date(warm: FlaskClient) -> None:
    date = {"If-Modified-Since": "Fri, 15 Jan 2027 08:00:00 GMT"}
    early = {"If-Modified-Since": "Fri, 15 Jan 2027 07:59:59 GMT"}
    for known, status in (
        ({**date, "If-None-Match": '"other"'}, 200),
        ({**date, "If-None-Match": ""}, 200),
        ({**early, "If-None-Match": '"tag"'}, 304),
    ):
        assert warm.get("/orgs/Netflix", headers=known).status_code == status


@pytest.mark.parametrize("value", ["", "yesterday", f"Fri, 15 Jan {'9' * 20} 08:00:00 GMT"])
def test_a_date_that_is_none_is_ignored(warm: FlaskClient, value: str) -> None:
    assert warm.get("/orgs/Netflix", headers={"If-Modified-Since": value}).status_code == 200


def test_what_is_not_there_is_not_there_whatever_its_date(
    redis: Redis, client: FlaskClient
) -> None:
    store_entry(redis, on_demand("/users/nobody"), fresh(make_entry(b"{}", status=404)))
    known = {"If-Modified-Since": "Fri, 15 Jan 2027 08:00:00 GMT"}
    answered = client.get("/users/nobody", headers=known)
    assert (answered.status_code, answered.data) == (404, b"{}")


def test_what_never_comes_is_unavailable(client: FlaskClient, redis: Redis) -> None:
    answered = client.get("/users/mona?page=2")
    assert_error(answered, 503, "The content is still being fetched from GitHub.")
    assert answered.headers["Retry-After"] == "1"
    eventually(lambda: "/users/mona?page=2" in queued_names(redis))


@pytest.mark.parametrize(
    "path", ["/orgs/Netflix", "/orgs/Netflix/repos?page=1", "/view/top/1/stars"]
)
def test_what_is_tracked_but_nowhere_yet_is_unavailable(client: FlaskClient, path: str) -> None:
    assert_error(client.get(path), 503)


def test_a_recorded_failure_is_told_at_once(make_app: MakeApp, redis: Redis) -> None:
    store_failure(redis, on_demand("/users/mona"), make_failure(retry_at=IN_AGES))
    client = make_app(miss_wait=60).test_client()
    answered = client.get("/users/mona")
    assert_error(answered, 503, "GitHub could not be read: GitHub answered 502")
    assert int(answered.headers["Retry-After"]) > 1_000_000


def test_without_redis_a_miss_is_unavailable(make_app: MakeApp) -> None:
    client = make_app(redis_url=f"redis://127.0.0.1:{free_port()}/0").test_client()
    assert_error(client.get("/users/mona"), 503, "The cache's store cannot be reached.")
    assert client.get("/livez").status_code == 200
    assert client.get("/healthcheck").status_code == 503


def test_stale_content_is_served_and_a_refresh_asked_for(client: FlaskClient, redis: Redis) -> None:
    entry = make_entry(b'{"login": "old"}', validated_at=AGES_AGO, fresh_until=AGES_AGO + 1)
    store_entry(redis, on_demand("/users/mona"), entry)
    answered = client.get("/users/mona")
    assert (answered.status_code, answered.data) == (200, b'{"login": "old"}')
    assert answered.headers["Cache-Control"] == (
        "public, max-age=1, stale-while-revalidate=60, stale-if-error=86400"
    )
    assert int(answered.headers["Age"]) > 1
    assert "; ttl=-" in answered.headers["Cache-Status"]


def test_the_process_says_that_it_lives(client: FlaskClient) -> None:
    answered = client.get("/livez")
    assert (answered.status_code, answered.json) == (200, {"status": "ok"})
    assert answered.headers["Content-Type"] == JSON
    assert answered.headers["Cache-Control"] == "no-store"


def test_the_healthcheck_names_what_is_missing(client: FlaskClient) -> None:
    answered = client.get("/healthcheck")
    assert answered.status_code == 503
    assert answered.json == {
        "status": "unavailable",
        "missing": [
            "/",
            "/orgs/Netflix", "/orgs/Netflix/members", "/orgs/Netflix/repos",
            "/orgs/Google", "/orgs/Google/members", "/orgs/Google/repos",
        ],
    }  # fmt: skip
    assert answered.headers["Cache-Control"] == "no-store"


def test_the_healthcheck_is_good_once_all_can_be_served(warm: FlaskClient) -> None:
    for resource in CATALOGUE.tracked:
        assert warm.get(resource.name).status_code == 200
    answered = warm.get("/healthcheck")
    assert (answered.status_code, answered.json) == (200, {"status": "ok"})


def test_the_healthcheck_stays_good_when_redis_loses_everything(
    warm: FlaskClient, redis: Redis
) -> None:
    for resource in CATALOGUE.tracked:
        warm.get(resource.name)
    redis.flushall()
    assert warm.get("/healthcheck").status_code == 200
    assert warm.get("/orgs/Netflix").status_code == 200


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
    ("GET", "/user", ("other", "refused", "404")),
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
        assert answered.headers.getlist("X-Request-Id") == ["abc-123"]

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


@pytest.fixture
def counted_by(warm: FlaskClient) -> Callable[[], dict[tuple[str, ...], float]]:
    """How the reader has counted requests since this was called last."""
    process = warm.application.extensions["process"]
    assert isinstance(process, ReaderProcess)
    before: dict[tuple[str, ...], float] = {}

    def since() -> dict[tuple[str, ...], float]:
        measures, _, _ = process.start().reporter.node()
        now = measures.of(Measure.REQUESTS)
        found = {labels: number - before.get(labels, 0) for labels, number in now.items()}
        before.update(now)
        return {labels: number for labels, number in found.items() if number}

    return since


@pytest.mark.parametrize(("method", "target", "counted"), COUNTED)
def test_each_request_is_counted_once_as_what_it_is(
    warm: FlaskClient,
    counted_by: Callable[[], dict[tuple[str, ...], float]],
    method: str,
    target: str,
    counted: tuple[str, ...],
) -> None:
    for _ in range(2):  # the first one may have brought it into memory
        counted_by()
        answered = raw(warm, target, method=method)
        assert answered.status_code == int(counted[-1])
    assert counted_by() == {counted: 1}


def test_what_did_not_change_is_counted_apart(
    warm: FlaskClient, counted_by: Callable[[], dict[tuple[str, ...], float]]
) -> None:
    tag = warm.get("/orgs/Netflix").headers["ETag"]
    counted_by()
    for _ in range(3):
        warm.get("/orgs/Netflix")
    assert warm.get("/orgs/Netflix", headers={"If-None-Match": tag}).status_code == 304
    assert counted_by() == {
        ("/orgs/{org}", "local", "200"): 3,
        ("/orgs/{org}", "local", "304"): 1,
    }


FROM = ("local", "redis")  # where content comes from; the first to load it may be the caretaker


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

    def test_are_of_the_process_its_content_and_the_fleet(self, warm: FlaskClient) -> None:
        for _ in range(2):
            warm.get("/orgs/Netflix")
        found = self.samples(warm)
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
