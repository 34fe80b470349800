"""The front and Flask give the same answer to the same bytes, whatever they are.

Date, Server and Connection belong to the server and are left out.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import pytest
from a2wsgi.wsgi import Body, build_environ
from hypothesis import event, given, settings
from hypothesis import strategies as st

from shared.entry import Entry
from tests.builders import (
    NOW,
    compressed,
    make_entry,
    make_list_entry,
    make_ranked_entry,
    on_demand,
    tracked,
)
from tests.reader.front.helpers import (
    Parsed,
    Reader,
    Sent,
    a_reader,
    gunicorn_reads,
    make_head,
    sent_of,
    without_the_servers,
)

TRUSTED_PEER, OTHER_PEER = "10.1.2.3", "192.0.2.7"
LINKS = (("next", "page=3"), ("last", "page=9&per_page=2"))
MakeEnviron = Callable[..., dict[str, Any]]


def hold(reader: Reader, name: str, entry: Entry) -> None:
    resource = tracked(name) if name in TRACKED else on_demand(name)
    reader.bench.local.put(resource, entry, NOW)


TRACKED: dict[str, Entry] = {
    "/": compressed(make_entry(b'{"url": "https://api.github.com/"}', etag="root")),
    "/orgs/Netflix": compressed(make_entry(b'{"login": "Netflix"}' * 900, etag="netflix")),
    "/orgs/Netflix/members": compressed(make_list_entry(95, etag="members")),
    "/orgs/Netflix/repos": compressed(
        make_ranked_entry({f"Netflix/{n}": n % 7 for n in range(1500)}, etag="repos")
    ),
    "/orgs/Google": make_entry(b'{"login": "Google"}', etag="google", changed_at=NOW - 0.5),
    "/orgs/Google/members": make_list_entry(0, etag="nobody"),
    "/orgs/Google/repos": make_ranked_entry({"Google/b": 2, "Google/a": 2}, etag="few"),
}
ON_DEMAND: dict[str, Entry] = {
    "/users/mona": compressed(make_entry(b'{"login": "mona"}', etag="mona", fresh_until=NOW + 60)),
    "/users/ghost": make_entry(b'{"message": "Not Found"}', etag="ghost", status=404),
    "/orgs/netflix/members/mona": make_entry(b"", etag="none", status=204),
    "/repos/netflix/hystrix/issues?page=2": compressed(
        make_entry(b"[" + b"1," * 6000 + b"1]", etag="issues", links=LINKS)
    ),
    "/orgs/netflix/repos?type=sources": make_entry(b"[]", etag="sources", links=LINKS),
    "/users/j%C3%BCrgen": make_entry(b"{}", etag="umlaut"),
}


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with a_reader(trusted_proxies="10.0.0.0/8") as made:
        for name, entry in (TRACKED | ON_DEMAND).items():
            hold(made, name, entry)
        yield made


def passed_on(parsed: Parsed) -> list[tuple[str, str]]:
    """The fields that gunicorn gives to an application: `A_B` would be taken for `A-B`."""
    return [(name, value) for name, value in parsed.fields if "_" not in name]


def wsgi_environ(parsed: Parsed, *, scheme: str, peer: str) -> dict[str, Any]:
    """What gunicorn's other workers give to a WSGI application."""
    path, _, query = parsed.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": parsed.method,
        "RAW_URI": parsed.target,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "0.0.0.0",
        "SERVER_PORT": "5000",
        "REMOTE_ADDR": peer,
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in passed_on(parsed):
        key = name.upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def asgi_environ(parsed: Parsed, *, scheme: str, peer: str) -> dict[str, Any]:
    """What a2wsgi makes of what gunicorn's ASGI worker gives to the application."""
    path, _, query = parsed.target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": parsed.method,
        "scheme": scheme,
        "path": unquote_to_bytes(path).decode("utf-8", errors="replace"),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in passed_on(parsed)],
        "server": ("0.0.0.0", 5000),
        "client": (peer, 40000),
    }
    environ = build_environ(cast(Any, scope), cast(Body, io.BytesIO()))
    return cast(dict[str, Any], environ)


def by_flask(reader: Reader, environ: dict[str, Any]) -> Sent:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, fields: list[tuple[str, str]], *_: Any) -> Any:
        started.append((status, fields))

    chunks = reader.app.wsgi_app(environ, start_response)
    body = b"".join(chunks)
    [(status, fields)] = started
    return Sent(int(status.split(" ")[0]), without_the_servers(fields), body)


# Requests: mostly for what is held, in all its spellings, with a nonsense here and there.

NUMBERS = st.sampled_from(
    [
        *("", "0", "1", "2", "3", "4", "5", "30", "100", "101", "-1", "%2B2", "+2", "1.5", "x"),
        *("2?", "%32", "2#", "0x2", "02", "%C2%B2", "%D9%A2", "9" * 15, "9" * 20),
    ]
)
PAGES = st.lists(
    st.builds(
        "{}={}".format,
        st.sampled_from(["page", "per_page", "PAGE", "page%20", "per%5Fpage", "type"]),
        NUMBERS,
    ),
    min_size=1,
    max_size=3,
).map("&".join)
LISTS = st.sampled_from(
    ["/orgs/Netflix/members", "/orgs/netflix/REPOS", "/orgs/Google/members", "/orgs/google/repos"]
)
VIEWS = st.builds(
    "/view/{}/{}/{}{}".format,
    st.sampled_from(["top", "bottom", "%74op", "Top", "left"]),
    st.sampled_from(["1", "2", "3", "1000", "0", "00", "007", "-1", "x", "", "1e3", "9" * 30]),
    st.sampled_from(["stars", "forks", "last_updated", "open_issues", "watchers", "size"]),
    st.sampled_from(["", "?", "?org=Google", "?org=google&x=1", "?org=acme", "?org=", "?page=2"]),
)
HELD = st.sampled_from(
    [
        *TRACKED,
        *ON_DEMAND,
        *("/orgs/Netflix?", "/ORGS/netflix", "/orgs/%4Eetflix", "/orgs/Netflix??", "/?", "/?&"),
        *("/users/Mona", "/users/mona?", "/users/j%c3%bcrgen"),
        *("/repos/Netflix/Hystrix/issues?page=2", "/repos/netflix/hystrix/issues?page=%32"),
        "/orgs/netflix/repos?type=sources&",
    ]
)  # fmt: skip
ELSEWHERE = st.sampled_from(
    [
        *("/nothing", "//", "//orgs/Netflix", "/orgs/Netflix/", "/orgs//Netflix"),
        *("/orgs/./Netflix", "/%00"),
        *("/orgs%2FNetflix", "/%2forgs/Netflix", "/orgs/Netflix#a", "/orgs/Netflix;a=b", "/%"),
        *("/users/octocat", "/livez", "/healthcheck", "/%6Civez", "/webhooks/github"),
        *("/%ff", "/users/%ff"),
        *("/orgs/netflix?page=2", "/orgs/Netflix%3Fpage=2", "/orgs/Netflix/hooks", "/view/top/5"),
        *("/static/x", "/orgs/Netflix/members%0d%0a", "/orgs/%F0%9F%8E%A5", "/users/mona?token=x"),
    ]
)  # fmt: skip
RANDOM = st.text("/abN%2F?&=.~#;:@é", max_size=12).map(lambda text: "/" + text).filter(str.isascii)
PAGED = st.builds("{}?{}".format, LISTS, PAGES)


def mostly(common: st.SearchStrategy[str], rare: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.integers(1, 5).flatmap(lambda number: rare if number == 5 else common)


TARGETS = mostly(st.one_of(HELD, LISTS, PAGED, VIEWS), st.one_of(ELSEWHERE, RANDOM))
TAGS = st.sampled_from(
    [
        *(f'"{entry.metadata.etag}{suffix}"' for entry in TRACKED.values() for suffix in
          ("", "-gzip", "-br", "-page-1-of-30", "-top-1-stars")),
        *(f'W/"{entry.metadata.etag}"' for entry in (TRACKED | ON_DEMAND).values()),
        *("*", '"x"', "x", "", '"', '"a\\"b"', 'W/"', '"netflix', "netflix", "é"),
    ]
)  # fmt: skip
ENCODINGS = st.sampled_from(
    [
        *("gzip", "br", "gzip, deflate, br, zstd", "GZIP", "identity", "*", "*;q=0", "", ",", ";"),
        *("gzip;q=0", "br;q=0.5, gzip;q=0.6", "gzip;q=0.5, identity", "identity;q=0, *;q=0"),
        *("gzip;q=nan", "gzip;q=2", "br;q=-1", "gzip;q", "x-gzip", "br;q=0.0001", "gzip, gzip;q=0"),
    ]
)
DATES = st.sampled_from(
    [
        *("Fri, 15 Jan 2027 08:00:00 GMT", "Fri, 15 Jan 2027 07:59:59 GMT"),
        *("Fri, 15 Jan 2027 08:00:01 GMT", "Friday, 15-Jan-27 08:00:00 GMT", "0", "yesterday", ""),
        *("Fri Jan 15 08:00:00 2027", "Fri, 15 Jan 2027 09:00:00 +0100", "1 Jan 9999999999 0:0:0"),
    ]
)
HOSTS = st.sampled_from(
    [
        *("a.test", "a.test:8080", "[::1]:5000", "127.0.0.1", "localhost", "A.Test", "a_b.test"),
        *("", "a b", "a.test:", "a.test:999999", "a.test/x", "user@a.test", "é.test", "a,b", "<a>"),
        *("a..test", "-", ".", "[::1", "xn--a.test", "a.test:0", "%61.test"),
        *("a.test.", ".a.test", "a.test..", f"{'a' * 63}.test:65535", "a" * 64, f"b.{'a' * 64}:1"),
    ]
)
FORWARDED = st.sampled_from(
    [
        "b.test",
        "b.test, c.test:1",
        "",
        ",",
        "a b",
        "[::2]",
        "https",
        "http",
        "HTTPS",
        "ws",
        "x,http",
    ]
)
FIELDS = st.lists(
    st.one_of(
        st.builds("Accept-Encoding: {}".format, ENCODINGS),
        st.builds("If-None-Match: {}".format, st.lists(TAGS, max_size=3).map(", ".join)),
        st.builds("If-Modified-Since: {}".format, DATES),
        st.builds("X-Forwarded-Host: {}".format, FORWARDED),
        st.builds("X-Forwarded-Proto: {}".format, FORWARDED),
        st.sampled_from(
            [
                *("Authorization: token x", "Cache-Control: no-cache", "Accept: text/html"),
                *("Connection: close", "Content-Type: text/plain", "Forwarded: host=c.test"),
                *("X-Forwarded-For: 10.0.0.9", "X-Forwarded-Port: 1", "X-Forwarded-Prefix: /p"),
                *("X-HTTP-Method-Override: POST", "Accept_Encoding: br", "X-Original-URL: /x"),
            ]
        ),
    ),
    max_size=4,
    unique_by=lambda field: field.partition(":")[0],
)  # fmt: skip


@pytest.mark.parametrize("make_environ", [wsgi_environ, asgi_environ])
def test_the_front_and_flask_give_the_same_answer(
    reader: Reader, make_environ: MakeEnviron
) -> None:
    asked: list[bool] = []
    fronts = {
        (scheme, peer): reader.responses(scheme=scheme, trusted=peer == TRUSTED_PEER)
        for scheme in ("http", "https")
        for peer in (TRUSTED_PEER, OTHER_PEER)
    }

    @settings(max_examples=150)
    @given(
        target=TARGETS,
        fields=FIELDS,
        host=mostly(st.just("a.test"), HOSTS),
        method=st.sampled_from(["GET", "GET", "HEAD"]),
        reached=st.sampled_from(list(fronts)),
        now=st.sampled_from([NOW, NOW + 0.5, NOW + 59.9, NOW + 61, NOW + 5000, NOW - 3]),
    )
    def give_the_same(
        *,
        target: str,
        fields: list[str],
        host: str,
        method: str,
        reached: tuple[str, str],
        now: float,
    ) -> None:
        reader.bench.clock.now = now
        front = fronts[reached]
        front.tick()
        head = make_head(target, *fields, method=method, host=host)
        found = front.find(head)
        asked.append(found is not None)
        event("found" if found else "handed over")
        if found is None:
            return
        parsed = gunicorn_reads(head)
        assert parsed is not None
        scheme, peer = reached
        sent = sent_of(found[0])
        assert sent == by_flask(reader, make_environ(parsed, scheme=scheme, peer=peer))
        again = front.find(head)
        assert again is not None
        assert sent_of(again[0]) == sent
        event(f"status {sent.status}")

    give_the_same()
    assert sum(asked) > len(asked) / 2, "most of them should be found"


@pytest.mark.parametrize("make_environ", [wsgi_environ, asgi_environ])
def test_under_the_mount_too_once_flask_has_made_it(
    reader: Reader, make_environ: MakeEnviron
) -> None:
    found_again: list[bool] = []
    front = reader.responses()

    @settings(max_examples=100)
    @given(
        target=TARGETS,
        fields=FIELDS,
        host=mostly(st.sampled_from(["a.test", "b.test:1"]), HOSTS),
        method=st.sampled_from(["GET", "GET", "HEAD"]),
    )
    def give_the_same(*, target: str, fields: list[str], host: str, method: str) -> None:
        reader.bench.clock.now = NOW
        front.tick()
        head = make_head(f"/api/v3{target}", *fields, method=method, host=host)
        parsed = gunicorn_reads(head)
        if parsed is None:
            return
        made = by_flask(reader, make_environ(parsed, scheme="http", peer=OTHER_PEER))
        found = front.find(head)
        found_again.append(found is not None)
        if found is not None:
            assert sent_of(found[0]) == made
            again = by_flask(reader, make_environ(parsed, scheme="http", peer=OTHER_PEER))
            assert again == made

    give_the_same()
    assert sum(found_again) > len(found_again) / 3


def test_what_is_held_is_found_in_every_way_that_it_can_be_asked_for(reader: Reader) -> None:
    reader.bench.clock.now = NOW
    front = reader.responses()
    for name, entry in (TRACKED | ON_DEMAND).items():
        for method in ("GET", "HEAD"):
            found = front.find(make_head(name, method=method))
            assert found is not None, name
            assert sent_of(found[0]).status == entry.metadata.status


@pytest.mark.parametrize(
    "target",
    [
        "/orgs/Netflix/members?page=2?",
        "/orgs/Netflix/members?per_page=2?&page=2",
        "/orgs/Netflix??",
        "/users/mona?%3F",
        "/view/top/2/stars?org=Google?",
    ],
)
@pytest.mark.parametrize("make_environ", [wsgi_environ, asgi_environ])
def test_a_question_mark_too_many_means_the_same_to_both(
    reader: Reader, make_environ: MakeEnviron, target: str
) -> None:
    assert_the_same(reader, make_head(target), make_environ)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "field",
    [
        'If-None-Match: "netflix"',
        'If-None-Match: W/"x", W/"netflix"',
        "If-None-Match: *",
        "If-Modified-Since: Fri, 15 Jan 2027 08:00:00 GMT",
    ],
)
@pytest.mark.parametrize("make_environ", [wsgi_environ, asgi_environ])
def test_a_304_has_the_same_fields_from_both(
    reader: Reader, make_environ: MakeEnviron, field: str, method: str
) -> None:
    sent = assert_the_same(reader, make_head("/orgs/Netflix", field, method=method), make_environ)
    assert sent is not None
    assert (sent.status, sent.body) == (304, b"")


def assert_the_same(reader: Reader, head: bytes, make_environ: MakeEnviron) -> Sent | None:
    reader.bench.clock.now = NOW
    found, parsed = reader.responses().find(head), gunicorn_reads(head)
    assert parsed is not None
    if found is None:
        return None
    sent = sent_of(found[0])
    assert sent == by_flask(reader, make_environ(parsed, scheme="http", peer=OTHER_PEER))
    return sent


@pytest.mark.parametrize(("fault", "status"), [(None, 503), (ZeroDivisionError(), 500)])
def test_an_entry_that_lacks_what_is_wanted_is_left_to_flask(
    monkeypatch: pytest.MonkeyPatch, fault: Exception | None, status: int
) -> None:
    """An error of the pipeline becomes a response in one place; a fault is logged there."""

    def fail(*_: object, **__: object) -> None:
        assert fault is not None
        raise fault

    if fault is not None:
        for module in ("reader.routes", "reader.front.rendered_responses"):
            monkeypatch.setattr(f"{module}.respond", fail)
    with a_reader() as reader:
        hold(reader, "/orgs/Netflix/members", replace(make_list_entry(3), array=None))
        head = make_head("/orgs/Netflix/members?page=1")
        parsed = gunicorn_reads(head)
        assert parsed is not None
        assert reader.responses().find(head) is None
        environ = wsgi_environ(parsed, scheme="http", peer=OTHER_PEER)
        assert by_flask(reader, environ).status == status
