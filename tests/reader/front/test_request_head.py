"""Which requests are plain; everything is held against gunicorn's own parser."""

import runpy
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reader.front import request_head as module
from reader.front.request_head import MAX_HEAD, ParsedRequest, normalize, read_head
from tests.reader.front.helpers import LIMITS, Parsed, gunicorn_reads, make_head

CHECKOUT = Path(__file__).parents[3]

PLAIN = ParsedRequest("/", False, False, "a.test", *[None] * 9)


def lines(*known: str) -> bytes:
    return "\r\n".join([*known, "", ""]).encode("latin-1")


# What they really send, as recorded from them; only addresses and tokens are made up.
CLIENTS = {
    "chrome": lines(
        "GET /orgs/Netflix HTTP/1.1",
        "Host: 127.0.0.1:5000",
        "Connection: keep-alive",
        'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
        "sec-ch-ua-mobile: ?0",
        'sec-ch-ua-platform: "Linux"',
        "Upgrade-Insecure-Requests: 1",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/140.0.0.0 Safari/537.36",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
        "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
        "Sec-Fetch-Site: none",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-User: ?1",
        "Sec-Fetch-Dest: document",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
        "Cookie: theme=dark; session=0123456789abcdef",
    ),
    "chrome, reloading": lines(
        "GET /orgs/Netflix HTTP/1.1",
        "Host: 127.0.0.1:5000",
        "Connection: keep-alive",
        "Cache-Control: max-age=0",
        "Pragma: no-cache",
        "User-Agent: Mozilla/5.0",
        "Origin: https://page.test",
        "Referer: https://page.test/",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate, br, zstd",
        'If-None-Match: "0123-gzip"',
        "If-Modified-Since: Fri, 15 Jan 2027 08:00:00 GMT",
    ),
    "firefox": lines(
        "GET /orgs/Netflix HTTP/1.1",
        "Host: localhost:5000",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Language: en-US,en;q=0.5",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Sec-GPC: 1",
        "DNT: 1",
        "Connection: keep-alive",
        "Upgrade-Insecure-Requests: 1",
        "Sec-Fetch-Dest: document",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Site: none",
        "Sec-Fetch-User: ?1",
        "Priority: u=0, i",
        "TE: trailers",
    ),
    "curl": lines(
        "GET /orgs/Netflix HTTP/1.1", "Host: localhost:5000", "User-Agent: curl/8.5.0",
        "Accept: */*",
    ),
    "curl, HEAD": lines(
        "HEAD /orgs/Netflix HTTP/1.1", "Host: localhost:5000", "User-Agent: curl/8.5.0",
        "Accept: */*", "Accept-Encoding: deflate, gzip, br, zstd",
    ),
    "PyGithub": lines(
        "GET /orgs/Netflix/repos?per_page=100 HTTP/1.1",
        "Host: 127.0.0.1:5000",
        "User-Agent: PyGithub/Python",
        "Accept-Encoding: gzip, deflate",
        "Accept: */*",
        "Connection: keep-alive",
        "Authorization: token ghp_000000000000000000000000000000000000",
        "X-GitHub-Api-Version: 2022-11-28",
    ),
    "githubkit": lines(
        "GET /orgs/Netflix HTTP/1.1",
        "Host: 127.0.0.1:5000",
        "Accept: application/vnd.github+json",
        "Accept-Encoding: gzip, deflate, br",
        "Connection: keep-alive",
        "User-Agent: GitHubKit/Python",
        "X-GitHub-Api-Version: 2022-11-28",
        'if-none-match: W/"abc"',
    ),
    "Octokit": lines(
        "GET /orgs/Netflix/members?per_page=100&page=2 HTTP/1.1",
        "host: 127.0.0.1:5000",
        "connection: keep-alive",
        "accept: application/vnd.github.v3+json",
        "user-agent: octokit.js/5.0.3 octokit-core.js/7.0.3 Node.js/22",
        "authorization: token ghp_000000000000000000000000000000000000",
        "x-github-api-version: 2022-11-28",
        "accept-language: *",
        "sec-fetch-mode: cors",
        "accept-encoding: gzip, deflate",
    ),
    "Go": lines(
        "GET /orgs/Netflix HTTP/1.1",
        "Host: localhost:5000",
        "User-Agent: go-github/v75.0.0",
        "Accept: application/vnd.github.v3+json",
        "X-Github-Api-Version: 2022-11-28",
        "Accept-Encoding: gzip",
    ),
    "HAProxy": lines(
        "GET /view/top/5/stars HTTP/1.1",
        "host: api.test",
        "user-agent: curl/8.5.0",
        "accept: */*",
        "x-forwarded-for: 192.0.2.7",
        "x-forwarded-proto: https",
        "x-forwarded-host: api.test",
    ),
    "nginx, to an upstream": lines(
        "GET / HTTP/1.1", "Host: api.test", "X-Forwarded-Proto: https", "Connection: close",
    ),
    "wrk": lines("GET / HTTP/1.1", "Host: 127.0.0.1:5000"),
}  # fmt: skip


@pytest.mark.parametrize("head", CLIENTS.values(), ids=CLIENTS)
def test_what_clients_really_send_is_plain(head: bytes) -> None:
    front_reads, parsed = read_head(head), gunicorn_reads(head)
    assert front_reads is not None
    assert parsed is not None
    assert front_reads == expected(parsed)


def test_all_of_a_request_that_an_answer_depends_on_is_read() -> None:
    fields = [
        "accept-encoding:gzip",
        'IF-NONE-MATCH:   "a", W/"b"  ',
        "If-Modified-Since: Fri, 15 Jan 2027 08:00:00 GMT",
        "accept: application/json",
        "X-GitHub-Api-Version: 2026-03-10",
        "X-Forwarded-Host: one, two",
        "x-forwarded-proto: https",
        "Cache-Control: max-age=0",
        "pragma: no-cache",
        "Connection: close",
        "Authorization: Bearer x",
    ]
    assert read_head(make_head("/a?b=%20", *fields, method="HEAD", host="h:1")) == ParsedRequest(
        target="/a?b=%20",
        is_head=True,
        closes=True,
        host="h:1",
        accept_encoding="gzip",
        if_none_match='"a", W/"b"',
        if_modified_since="Fri, 15 Jan 2027 08:00:00 GMT",
        accept="application/json",
        api_version="2026-03-10",
        forwarded_host="one, two",
        forwarded_proto="https",
        cache_control="max-age=0",
        pragma="no-cache",
    )


def test_what_nobody_reads_changes_nothing() -> None:
    ignored = ["Authorization: token x", "Age: 1", "Warning: 110 - stale", "X-A: 1"]
    assert read_head(make_head("/", *ignored)) == read_head(make_head("/")) == PLAIN


def test_a_request_without_a_host_is_not_plain() -> None:
    assert read_head(b"GET / HTTP/1.1\r\n\r\n") is None


def test_a_fragment_is_not_plain() -> None:
    assert read_head(make_head("/orgs/Netflix#a")) is None


def test_an_absent_field_is_not_an_empty_one() -> None:
    front_reads = read_head(make_head("/", "Accept-Encoding:", "If-None-Match: "))
    assert front_reads == PLAIN._replace(accept_encoding="", if_none_match="")


@pytest.mark.parametrize(
    ("fields", "closes"),
    [
        ([], False),
        (["Connection: keep-alive"], False),
        (["connection: Keep-Alive"], False),
        (["Connection: close"], True),
        (["CONNECTION: CLOSE"], True),
        (["Connection: keep-alive", "Connection: close"], True),
        (["Connection: close", "Connection: keep-alive"], True),
    ],
)
def test_who_wants_the_connection_closed_is_understood_as_gunicorn_does(
    fields: list[str], closes: bool
) -> None:
    head = make_head("/", *fields)
    front_reads, parsed = read_head(head), gunicorn_reads(head)
    assert front_reads is not None
    assert parsed is not None
    assert front_reads.closes == parsed.closes == closes


@pytest.mark.parametrize("value", ["", "upgrade", "close, x", "keep-alive, Upgrade", "TE", "x"])
def test_any_other_connection_option_is_not_plain(value: str) -> None:
    assert read_head(make_head("/", f"Connection: {value}")) is None


UNUSUAL = {
    "a body": "Content-Length: 3",
    "an empty body": "Content-Length: 0",
    "a chunked body": "Transfer-Encoding: chunked",
    "trailers": "Trailer: Expires",
    "an expectation": "Expect: 100-continue",
    "a range": "Range: bytes=0-1",
    "a conditional range": 'If-Range: "a"',
    "If-Match": 'If-Match: "a"',
    "If-Unmodified-Since": "If-Unmodified-Since: Fri, 15 Jan 2027 08:00:00 GMT",
    "a WebSocket": "Upgrade: websocket",
    "HTTP/2": "HTTP2-Settings: AAMAAABkAAQAAP__",
}


@pytest.mark.parametrize("field", UNUSUAL.values(), ids=UNUSUAL)
def test_what_makes_a_request_another_one_is_not_plain(field: str) -> None:
    assert read_head(make_head("/", field)) is None
    assert read_head(make_head("/", field.upper())) is None
    assert read_head(make_head("/", "X-A: 1", field.lower(), "X-B: 2")) is None


def test_what_curl_sends_to_upgrade_to_http2_is_not_plain() -> None:
    fields = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
    assert read_head(make_head("/", *fields)) is None


RELEVANT = [
    "Host: a.test",
    "Accept-Encoding: gzip",
    'If-None-Match: "a"',
    "If-Modified-Since: Fri, 15 Jan 2027 08:00:00 GMT",
    "X-Forwarded-Host: a.test",
    "X-Forwarded-Proto: http",
]


@pytest.mark.parametrize("field", RELEVANT)
def test_a_relevant_field_that_stands_there_twice_is_not_plain(field: str) -> None:
    begin = ["GET / HTTP/1.1", *(["Host: a.test"] if field != "Host: a.test" else [])]
    assert read_head(lines(*begin, field)) is not None
    assert read_head(lines(*begin, field, field)) is None
    assert read_head(lines(*begin, field, "X-A: 1", field.swapcase())) is None
    assert read_head(lines(*begin, field, field.partition(":")[0] + ":")) is None


def test_a_content_type_is_plain_but_not_two_of_them() -> None:
    assert read_head(make_head("/", "Content-Type: application/json")) == PLAIN
    assert read_head(make_head("/", "Content-Type: a/b", "content-type: a/b")) is None


@pytest.mark.parametrize(
    "first",
    [
        "",
        "GET",
        "GET /",
        "GET / ",
        "GET / HTTP/1.0",
        "GET / HTTP/1.2",
        "GET / HTTP/2",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET\t/\tHTTP/1.1",
        "GET / a HTTP/1.1",
        "GET http://a.test/ HTTP/1.1",
        "GET a.test:80 HTTP/1.1",
        "GET * HTTP/1.1",
        "GET a HTTP/1.1",
        "GET ?a HTTP/1.1",
        "get / HTTP/1.1",
        "Get / HTTP/1.1",
        "POST / HTTP/1.1",
        "OPTIONS / HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "DELETE / HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "TRACE / HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "GET /\xe9 HTTP/1.1",
        "GET /\xa0 HTTP/1.1",
        "GET /\x00 HTTP/1.1",
        "GET /\x0b HTTP/1.1",
        "GET /" + "a" * 4001 + " HTTP/1.1",
    ],
)
def test_a_first_line_of_any_other_kind_is_not_plain(first: str) -> None:
    assert read_head(lines(first, "Host: a.test")) is None


@pytest.mark.parametrize(
    "field",
    [
        "X-A",
        ": value",
        "X-A : value",
        "X-A\t: value",
        " X-A: value",
        "X A: value",
        "X-(A): value",
        "X-\xe9: value",
        "X-A: a\tb",
        "X-A:\tvalue",
        "X-A: a\x00b",
        "X-A: a\x01b",
        "X-A: a\x7fb",
        "X-A: a\x85b",
        "X-A: a\x0bb",
        "X-A: a\x0cb",
        "X-A: a\rb",
        "X-A: a\nb",
        "X-A: a\r",
        "X-A: a\n",
        "\nX-A: a",
        "X-A: a\r\n folded",
        "X-A: a\r\n\tfolded",
        "Host : a.test",
        "Content-Length : 3",
        "X-A: a\n\nGET / HTTP/1.1",
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_malformed_field_is_not_plain_wherever_it_stands(field: str, place: int) -> None:
    fields = ["Host: a.test", "Accept: */*"]
    fields.insert(place, field)
    assert read_head(lines("GET / HTTP/1.1", *fields)) is None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n",
        b"GET / HTTP/1.1\nHost: a.test\n\n",
        b"GET / HTTP/1.1\r\nHost: a.test\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\r\n\r\n",
        b"GET / HTTP/1.1\rHost: a.test\r\r",
        b"\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nx",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\nHost: a.test\r\n\r\n",
        make_head("/") * 2,
    ],
)
def test_what_is_not_one_whole_head_is_not_plain(head: bytes) -> None:
    assert read_head(head) is None


def test_a_head_is_bounded() -> None:
    room = MAX_HEAD - len(make_head("/", "X-A: "))
    assert read_head(make_head("/", f"X-A: {'a' * room}")) == PLAIN
    assert read_head(make_head("/", f"X-A: {'a' * room}a")) is None


def test_a_target_is_bounded() -> None:
    longest = "/" + "a" * 3999
    assert read_head(make_head(longest)) == PLAIN._replace(target=longest)
    assert read_head(make_head(longest + "a")) is None


def test_fields_are_bounded_in_number() -> None:
    plain = [count for count in range(120) if read_head(make_head("/", *["X-A: 1"] * count))]
    assert plain == list(range(len(plain)))
    assert 64 <= len(plain) < LIMITS["limit_request_fields"]


def test_the_limits_are_those_that_gunicorn_runs_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    configured = runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))
    assert {name: configured[name] for name in LIMITS} == LIMITS
    assert configured["http_parser"] == "python"


# Properties: nothing is ever read otherwise than gunicorn would read it.

TOKENS = st.text("abcXYZ019-_.!~'|", min_size=1, max_size=12)
VALUES = st.text(
    st.sampled_from([*map(chr, range(0x20, 0x7F)), "\xe9", "\xff", "\xa1"]), max_size=20
)
KNOWN = st.sampled_from(
    [
        *("Host", "Accept-Encoding", "If-None-Match", "If-Modified-Since"),
        *("X-Forwarded-Host", "X-Forwarded-Proto", "Connection", "Content-Type"),
        *("Accept", "User-Agent", "Authorization", "Cache-Control", "Pragma", "Cookie"),
        *(field.partition(":")[0] for field in UNUSUAL.values()),
    ]
)
NAMES = st.one_of(
    KNOWN, KNOWN.map(str.lower), KNOWN.map(str.upper), TOKENS, KNOWN.map(lambda n: n + "_")
)
USUAL_VALUES = st.sampled_from(["gzip, br", "close", "keep-alive", "a.test:80", '"a", W/"b"', "0"])
SPACES = st.sampled_from(["", " ", "  "])
FIELDS = st.lists(
    st.builds("{}:{}{}{}".format, NAMES, SPACES, st.one_of(VALUES, USUAL_VALUES), SPACES),
    max_size=8,
)
PATHS = st.text(st.sampled_from([chr(code) for code in range(0x21, 0x7F)]), max_size=30)
HEADS = st.builds(
    lambda method, path, host, fields: lines(f"{method} /{path} HTTP/1.1", *host, *fields),
    st.sampled_from(["GET", "HEAD", "POST"]),
    PATHS,
    st.sampled_from([["Host: a.test"], ["Host: a.test"], []]),
    FIELDS,
)
NASTY = st.one_of(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"\t", b" ", b":", b"\0", b"\x7f", b"\x80", b"\xa0"]),
    st.sampled_from([b"\r\n\r\n", b"\r\n ", b" :", b"Host: b\r\n", b"HTTP/1.0", b"_", b"\xff"]),
    st.binary(min_size=1, max_size=2),
)


def expected(parsed: Parsed) -> ParsedRequest:
    """What `read_head` is to give where it gives anything."""
    return ParsedRequest(
        target=parsed.target,
        is_head=parsed.method == "HEAD",
        closes=parsed.closes,
        host=parsed.value("host") or "",
        accept_encoding=parsed.value("accept-encoding"),
        if_none_match=parsed.value("if-none-match"),
        if_modified_since=parsed.value("if-modified-since"),
        accept=parsed.value("accept"),
        api_version=parsed.value("x-github-api-version"),
        forwarded_host=parsed.value("x-forwarded-host"),
        forwarded_proto=parsed.value("x-forwarded-proto"),
        cache_control=parsed.value("cache-control"),
        pragma=parsed.value("pragma"),
    )


def assert_read_as_gunicorn_does(head: bytes) -> bool:
    """Returns whether it was plain."""
    module._lines.clear()
    front_reads = read_head(head)
    assert read_head(head) == front_reads, "another outcome when its lines are remembered"
    if front_reads is None:
        return False
    parsed = gunicorn_reads(head)
    assert parsed is not None, "gunicorn refuses it"
    assert parsed.method in {"GET", "HEAD"}
    assert parsed.version == (1, 1)
    assert not parsed.has_body
    assert front_reads == expected(parsed)
    assert not [name for name, _ in parsed.fields if name in _UNUSUAL_NAMES]
    assert len(head) <= MAX_HEAD
    return True


_UNUSUAL_NAMES = {field.partition(":")[0].lower() for field in UNUSUAL.values()}


@settings(max_examples=200)
@given(HEADS)
def test_random_heads_are_read_as_gunicorn_reads_them(head: bytes) -> None:
    assert_read_as_gunicorn_does(head)


@settings(max_examples=200)
@given(st.sampled_from(["GET", "HEAD"]), PATHS, st.lists(TOKENS, max_size=5), VALUES)
def test_fields_that_nobody_knows_are_always_plain(
    method: str, path: str, names: list[str], value: str
) -> None:
    fields = [f"X-{name}: {value}" for name in names]
    is_plain = assert_read_as_gunicorn_does(make_head(f"/{path}", *fields, method=method))
    assert is_plain == ("#" not in path)


@settings(max_examples=200)
@example(lines("GET / HTTP/1.1", "Host: a", "Content-Type: a", "Content-Type: b"), [])
@given(
    st.one_of(HEADS, st.sampled_from(list(CLIENTS.values()))),
    st.lists(
        st.tuples(st.sampled_from(["insert", "delete", "replace"]), st.integers(0, 9999), NASTY),
        min_size=1,
        max_size=3,
    ),
)
def test_damaged_heads_are_read_as_gunicorn_reads_them(
    head: bytes, damages: list[tuple[str, int, bytes]]
) -> None:
    for damage, place, nasty in damages:
        at = place % (len(head) + 1)
        kept = at if damage == "insert" else at + 1
        head = head[:at] + (b"" if damage == "delete" else nasty) + head[kept:]
    assert_read_as_gunicorn_does(head)


@settings(max_examples=120)
@given(st.sampled_from(list(CLIENTS.values())), st.data())
def test_heads_with_lines_twice_or_elsewhere_are_read_as_gunicorn_reads_them(
    head: bytes, data: st.DataObject
) -> None:
    first, *fields = head.decode("latin-1").split("\r\n")[:-2]
    more = data.draw(st.lists(st.sampled_from([*fields, *UNUSUAL.values(), *RELEVANT]), max_size=3))
    mixed = data.draw(st.permutations([*fields, *more]))
    assert_read_as_gunicorn_does(lines(first, *mixed))


def test_what_is_remembered_of_lines_changes_no_outcome_and_is_bounded() -> None:
    heads = [*CLIENTS.values(), make_head("/", "Connection: x"), make_head("/", "Range: bytes=0-")]
    module._lines.clear()
    before = [read_head(head) for head in heads]
    for number in range(3000):
        read_head(make_head("/", f"X-A: {number}", f"X-Long: {'a' * 300}{number}"))
        assert len(module._lines) <= 1024
    assert all(len(line) <= 256 for line in module._lines)
    assert [read_head(head) for head in heads] == before == [read_head(head) for head in heads]


@pytest.mark.parametrize(
    ("fields", "request_id"),
    [
        ([], None),
        (["X-Request-Id: abc-123"], b"abc-123"),
        (["x-request-id:abc-123"], b"abc-123"),
        (["X-Request-Id:   abc-123  "], b"abc-123"),
        (["X-Request-Id: two words"], None),
        (["X-Request-Id:"], None),
        (["X-Request-Id: " + "x" * 129], None),
        (["X-Request-Idea: abc-123"], None),
    ],
)
def test_a_request_s_id_is_taken_out_and_changes_nothing_else(
    fields: list[str], request_id: bytes | None
) -> None:
    without = normalize(make_head("/", "Accept-Encoding: br"))
    normalized = normalize(make_head("/", *fields, "Accept-Encoding: br"))
    assert normalized is not None
    assert without is not None
    assert normalized == (without[0], request_id)


def test_lines_with_ids_are_not_remembered() -> None:
    """Each is another one: they would push out those that come again and again."""
    normalize(make_head("/", "User-Agent: x"))
    before = dict(module._lines)
    for number in range(3000):
        normalize(make_head("/", "User-Agent: x", f"X-Request-Id: {number}"))
    assert module._lines == before
