"""What is fuzzed: each target takes any bytes and fails when a promise of the code is broken."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import requests

from reader.errors import ApiError, BadRequest, Forbidden, UnsupportedMediaType
from reader.response.client_url import Address, path_of
from reader.response.negotiation import negotiated
from reader.response.representation import whole
from reader.response.response import RequestFields, to_response
from reader.response.target import parse_target
from reader.webhooks.affected_resources import affected
from reader.webhooks.receiver import _payload
from reader.webhooks.touched_scopes import touched_scopes
from refresher.content.items import decode, elements
from refresher.errors import OriginError
from refresher.github.addresses import is_own
from refresher.github.client import links_in
from refresher.github.rate_limit_headers import asked_pause, clock_offset
from shared.api_versions import SUPPORTED
from shared.entry import entry_from
from shared.errors import UnreadableError
from shared.failure import Failure
from shared.outcomes import Served
from shared.redis.announcements import parse
from shared.refresh_report import RefreshReport
from shared.resources.media_types import media_types_of
from shared.resources.operations import Decision, operation_at
from shared.resources.resource import Resource
from shared.resources.resource_name import MAX_NAME_BYTES
from tests.builders import CATALOGUE, NOW, compressed, make_entry
from tests.reader.front.test_request_head import assert_read_as_gunicorn_does
from tests.reader.response.test_rewriting import ADDRESS, REWRITING, model

ORIGIN = "https://api.github.test"
# RFC 9110 section 8.8.3 and 13.1.2, and nothing of what servers take besides.
_TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
_TAGS = re.compile(rf"{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")
_ENTRY = compressed(make_entry(b'{"a": 1}' * 300, etag="tag"))


def path(data: bytes) -> None:
    """What a path names is one thing: here, at GitHub, and when it is named again."""
    resource = CATALOGUE.find(data.decode("latin-1"))
    _check_resource(resource)
    # gunicorn and the front refuse bytes beyond ASCII in a target.
    if resource is not None and not resource.tracked and data.isascii():
        sent = unquote_to_bytes(data)
        written = sent.decode().lower().encode()
        assert unquote_to_bytes(resource.path).lower() in {written, written.removesuffix(b"/")}


def query(data: bytes) -> None:
    """A query keeps what GitHub would read of it."""
    text = data.decode("latin-1")
    resource = CATALOGUE.find("/orgs/Netflix/repos", text)
    _check_resource(resource)
    if resource is not None:
        pairs = sorted(parse_qsl(text, keep_blank_values=True), key=lambda pair: pair[0])
        assert parse_qsl(resource.query, keep_blank_values=True) == pairs


def _check_resource(resource: Resource | None) -> None:
    if resource is None:
        return
    assert CATALOGUE.named(resource.name) == resource
    assert resource.name.isascii()
    assert resource.name.isprintable()
    assert " " not in resource.name
    assert len(resource.name) <= MAX_NAME_BYTES
    segments = [unquote_to_bytes(part) for part in resource.path.split("/")[1:]]
    pieces = b"/".join(segments).split(b"/")  # as a server sees them that decodes `%2F` first
    assert resource.path == "/" or not {b"", b".", b".."}.intersection(pieces)
    assert not any(b"\\" in part for part in segments)
    named = operation_at([piece.decode() for piece in pieces])
    assert named is None or named.decision is not Decision.REFUSED
    # What the refreshers' library makes of it is the same, or it would be stored under this name.
    prepared = requests.Request("GET", ORIGIN + resource.name).prepare()
    assert prepared.path_url == resource.name
    assert urlsplit(str(prepared.url)).netloc == urlsplit(ORIGIN).netloc


def representation(data: bytes) -> None:
    """`Accept` and `X-GitHub-Api-Version`, a line each, choose one of few forms, or are refused."""
    accept, _, version = data.decode("latin-1").partition("\n")
    for name in (
        "/repos/a/b/readme",
        "/repos/a/b/issues/1",
        "/orgs/Netflix/repos",
        "/search/users",
    ):
        resource = CATALOGUE.find(name)
        assert resource is not None
        with suppress(BadRequest, Forbidden, UnsupportedMediaType):
            found = negotiated(resource, accept=accept, version=version)
            assert CATALOGUE.named(found.name) == found
            assert found.media in {"", *media_types_of(resource.operation)}
            assert found.api_version in SUPPORTED
            written = negotiated(
                resource, accept=found.media_type.accept, version=found.api_version
            )
            assert written == found


def target(data: bytes) -> None:
    """A target selects something or is refused, in good form."""
    text = data.decode("latin-1")
    with suppress(ApiError):
        selection = parse_target(CATALOGUE, text)
        again = path_of(text)
        assert path_of(again) == again
        assert not re.search(r'[<>"\s]', again)
        query = text.partition("?")[2]
        found = parse_target(CATALOGUE, f"{again}?{query}" if query else again)
        assert (found.resource, found.route) == (selection.resource, selection.route)


def head(data: bytes) -> None:
    """A head is read as gunicorn reads it, or handed over."""
    assert_read_as_gunicorn_does(data)
    assert_read_as_gunicorn_does(data.rstrip(b"\r\n") + b"\r\n\r\n")


def conditions(data: bytes) -> None:
    """`If-None-Match`, `If-Modified-Since` and `Accept-Encoding`, a line each."""
    values = [*data.decode("latin-1").split("\n", 2), "", ""]
    known = RequestFields("http://a.test/", values[1], values[0] or None, values[2] or None)
    sent = to_response(whole(_ENTRY), known, served=Served.LOCAL, now=NOW)
    assert sent.status in {200, 304}
    if sent.status == 200:
        assert sent.headers["Content-Length"] == str(len(sent.body))
        assert sent.body in {_ENTRY.body, *_ENTRY.encoded.values()}
    if _TAGS.fullmatch(values[0]):
        is_held = sent.headers["ETag"] in values[0]
        assert (sent.status == 304) == is_held
    if values[0] == "*":
        assert sent.status == 304


def link(data: bytes) -> None:
    """`Link` gives addresses of GitHub's, or a ValueError, which is an answer that is refused."""
    response = requests.Response()
    response.headers["Link"] = data.decode("latin-1")
    with suppress(ValueError):
        links = links_in(response, ORIGIN + "/orgs/netflix/repos", ORIGIN)
        assert all(is_own(url, ORIGIN) for url in links.values())


def limits(data: bytes) -> None:
    """`Retry-After`, the reset and `Date`, a line each, ask for a pause of at most a day."""
    values = [*data.decode("latin-1").split("\n", 2), "", ""]
    names = ("Retry-After", "X-RateLimit-Reset", "Date")
    headers = {"X-RateLimit-Remaining": "0", **dict(zip(names, values, strict=False))}
    pause = asked_pause(headers, now=NOW)
    assert pause is None or 0 <= pause <= 24 * 3600
    offset = clock_offset(headers, now=NOW)
    assert offset is None or offset == offset  # noqa: PLR0124 - NaN


def address(data: bytes) -> None:
    """`Host` and the two `X-Forwarded-` fields, a line each, give an origin and nothing more."""
    values = [*data.decode("latin-1").split("\n", 2), "", ""]
    with suppress(BadRequest):
        made = Address("http", values[0], values[1] or None, values[2] or None).origin
        assert re.fullmatch(r"https?://[A-Za-z0-9._\-\[\]:]+", made)
        assert urlsplit(made).path == ""


def rewriting(data: bytes) -> None:
    """In a JSON body only addresses change, as a reading token by token finds them."""
    try:
        json.loads(data.decode())
    except (ValueError, RecursionError):
        return
    expected = model(data)
    assert REWRITING.rewritten(data, ADDRESS) == expected
    for step in (1, 7):
        assert b"".join(REWRITING.pieces(data, ADDRESS, step=step)) == expected


def items(data: bytes) -> None:
    """A list's items are the bytes between the commas, as the standard library reads them."""
    try:
        found = list(elements(data))
    except (OriginError, ValueError):
        with suppress(OriginError):
            assert not isinstance(decode(data), list)
        return
    assert repr([value for _, value in found]) == repr(decode(data))  # 1 == 1.0 == True
    assert all(text.encode() in data for text, _ in found)


def delivery(data: bytes) -> None:
    """A signed body may hold anything."""
    with suppress(BadRequest):
        payload = _payload(data)
        found = affected("repository", payload, CATALOGUE)
        assert all(one.resource.tracked for one in found)
        for event in ("repository", "organization", "fork"):
            assert len(touched_scopes(event, payload, include_private=True)) < 50


def stored(data: bytes) -> None:
    """What Redis holds may be damaged, or another version's: it is read, or it is unreadable."""
    meta, _, rest = data.partition(b"\n")
    fields = {b"meta": meta, b"validated_at": b"1", b"fresh_until": b"2", b"body": rest}
    with suppress(UnreadableError):
        entry_from({**fields, b"ends": rest})
    with suppress(UnreadableError):
        entry_from({**fields, b"validated_at": rest[:20]})
    parse(data)
    for read in (Failure.from_json, RefreshReport.from_json):
        with suppress(UnreadableError):
            read(data)


Target = Callable[[bytes], None]
TARGETS: Mapping[str, Target] = {
    one.__name__: one
    for one in (
        *(path, query, representation, target, head, conditions, link, limits, address),
        *(rewriting, items, delivery, stored),
    )
}
SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "path": (
        *(b"/", b"/orgs/Netflix", b"/users/j%C3%BCrgen", b"/repos/a/b/contents/%2e%2e/x"),
        *(b"/repos/a/b/contents/c%2Fd", b"/repos/a/b/branches/x%2Fprotection", b"/repos/a%2Fb/c"),
        *(b"/repositories/1/labels/a%2fb", b"/organizations/2/repos", b"/user/3/repos"),
        *(b"/repos/a/b/contents/", b"/orgs//x", b"/users/%00", b"/users/a;b=c", b"/users/%"),
    ),
    "representation": (
        *(b"application/vnd.github.v3.raw+json\n", b"*/*;q=0.1, text/html\n2026-03-10"),
        *(b"application/vnd.github-issue.full;q=0, application/json\nv3", b", ;q=\n2022-11-28"),
    ),
    "query": (b"page=2&per_page=3", b"b=%26&a=+&a=;", b"q=%zz&&=&x", b"access_token=a", b"a=%FF"),
    "target": (
        *(b"/orgs/Netflix/repos?page=2", b"/view/top/5/stars?org=Google", b"//orgs/Netflix"),
        *(b"/%6Frgs/netflix/members?per_page=%31", b"/users/<a>?b", b"/view/bottom/007/forks"),
    ),
    "head": (
        b'GET /orgs/Netflix HTTP/1.1\r\nHost: a.test\r\nIf-None-Match: "a", W/"b"\r\n\r\n',
        b"HEAD /?a HTTP/1.1\r\nhost:a\r\nConnection: close\r\nX-Request-Id: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n Content-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\nX: y\r\n\r\n",
    ),
    "conditions": (
        *(b'"tag"\ngzip\n', b'W/"tag-gzip", "x"\nbr;q=0.5, gzip;q=1, *;q=0\n', b"*\n\n"),
        b'"a,tag"\nidentity;q=0\nFri, 15 Jan 2027 08:00:00 GMT',
    ),
    "link": (
        b'<https://api.github.test/organizations/1/repos?page=2>; rel="next", <?page=9>; rel=last',
        b"<http://[::1>; rel=next",
    ),
    "limits": (b"60\n1800000000\nFri, 15 Jan 2027 08:00:00 GMT", b"1e9\n-1\nMon, 99", b"\n" * 3),
    "address": (b"a.test:80\nb.test, c.test\nhttps", b"[::1]:1\n\nHTTP", b"a/b", b"a\r\nb"),
    "rewriting": (
        b'{"url":"https://api.github.com/x","a_url": "http://127.0.0.1:8080{/sha}"}',
        b'{"h\\u0072ef" : "https:\\/\\/api.github.com?q"}',
        b'{"body": "\\"url\\": \\"https://api.github.com/x\\"", "url": ["https://api.github.com"]}',
    ),
    "items": (b'[{"id": 1}, {"id": "]"}]', b"[]", b"[1,2", b"[[[[", b'["\xff"]', b"[1e999,NaN]"),
    "delivery": (b'{"organization": {"login": "Netflix"}, "action": "deleted"}', b"[]", b"{" * 99),
    "stored": (
        b'{"schema": 1, "links": [], "status": 200}\nabcdefgh',
        b'{"name": "/", "number": 1}',
        b'{"schema": 1, "links": [["a"]], "version": "x"}\n1e999',
    ),
}
