"""Bytes for requests: made at most once a second, never for another entry, bounded."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reader.front import rendered_responses as module
from reader.front import request_head as head_module
from reader.front.rendered_responses import RenderedResponses, SerializedResponse, render
from reader.response.response import HttpResponse
from reader.telemetry.counters import Counter, RequestLabels
from shared.buffers import Buffers
from shared.entry import Entry
from shared.json_array import JsonArray
from shared.outcomes import Served
from tests.builders import (
    NOW,
    compressed,
    make_entry,
    make_list_entry,
    make_metadata,
    make_ranked_entry,
    on_demand,
    tracked,
)
from tests.reader.bench import KEEP
from tests.reader.front.helpers import (
    END,
    Reader,
    a_reader,
    fields_of,
    head_of,
    make_head,
    sent_of,
)

ROOT = b'{"url": "x"}'
LARGE = b"[" + b"1," * 8000 + b"1]"
DATE = "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.fixture
def reader() -> Iterator[Reader]:
    with a_reader() as made:
        local = made.bench.local
        local.put(tracked("/"), make_entry(ROOT, etag="root"), NOW)
        local.put(tracked("/orgs/Netflix"), compressed(make_entry(LARGE, etag="large")), NOW)
        local.put(tracked("/orgs/Netflix/members"), make_list_entry(3000, etag="list"), NOW)
        ranked = make_ranked_entry({f"Netflix/{n}": n for n in range(300)}, etag="ranked")
        local.put(tracked("/orgs/Netflix/repos"), ranked, NOW)
        local.put(on_demand("/users/mona"), make_entry(b"{}", etag="mona"), NOW)
        yield made


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[HttpResponse]:
    """Every answer that was rendered, in order."""
    all_of_them: list[HttpResponse] = []

    def watched(sent: HttpResponse, counter: Counter, **known: Any) -> SerializedResponse:
        all_of_them.append(sent)
        return render(sent, counter, **known)

    monkeypatch.setattr(module, "render", watched)
    return all_of_them


def found(
    responses: RenderedResponses, target: str = "/", *fields: str, **known: Any
) -> SerializedResponse:
    pair = responses.find(make_head(target, *fields, **known))
    assert pair is not None
    return pair[0]


def entry_of(reader: Reader, name: str) -> Entry:
    held = reader.bench.local.peek(tracked(name))
    assert held is not None
    return held.entry


def test_a_whole_answer(reader: Reader) -> None:
    serialized = found(reader.responses())
    head, _, body = head_of(serialized).partition(END)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == ROOT
    assert (serialized.body, serialized.closes) == (b"", False)
    fields = dict(fields_of(serialized))
    assert fields["Server"] == "api-read-cache"
    assert fields["Date"] == DATE
    assert fields["Content-Length"] == str(len(ROOT))
    assert "Connection" not in fields
    assert len(fields_of(serialized)) == len(fields), "each field stands there once"


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (304, b"HTTP/1.1 304 Not Modified\r\n"),
        (404, b"HTTP/1.1 404 Not Found\r\n"),
    ],
)
def test_a_status_line_has_the_reason_phrase(status: int, line: bytes) -> None:
    counter = Counter(RequestLabels("/", Served.LOCAL, status))
    serialized = render(HttpResponse(status), counter, now=NOW, is_head=False, closes=False)
    assert serialized.start == line + b"X-Request-Id: "
    assert serialized.counter is counter
    assert serialized.head.endswith(END)


def test_head_has_no_body_but_its_length(reader: Reader) -> None:
    for target, length in (("/", len(ROOT)), ("/orgs/Netflix", len(LARGE))):
        serialized = found(reader.responses(), target, method="HEAD")
        assert serialized.head.endswith(END)
        assert serialized.body == b""
        assert (
            head_of(serialized)
            == head_of(found(reader.responses(), target)).partition(END)[0] + END
        )
        assert sent_of(serialized).value("content-length") == str(length)


def test_who_wants_the_connection_closed_is_told_that_it_is(reader: Reader) -> None:
    serialized = found(reader.responses(), "/", "Connection: close")
    assert serialized.closes
    assert dict(fields_of(serialized))["Connection"] == "close"
    kept = found(reader.responses())
    assert sent_of(serialized) == sent_of(kept)


@pytest.mark.parametrize(
    "target", ["/users/octocat", "/nothing", "/livez", "/healthcheck", "/view/top/0/stars", "//"]
)
def test_what_is_not_held_or_not_to_be_had_is_left_to_flask(reader: Reader, target: str) -> None:
    assert reader.responses().find(make_head(target)) is None


@pytest.mark.parametrize(
    ("field", "is_found"),
    [
        ("User-Agent: curl/8.5.0", True),
        ("Cache-Control: no-store", True),
        ("Cache-Control: max-age=x", True),
        ("Pragma: x", True),
        ("Cache-Control: max-age=0", False),
        ("cache-control: NO-CACHE", False),
        ("Cache-Control: max-age=100000", False),
        ("Cache-Control: only-if-cached", False),
        ("Pragma: no-cache", False),
    ],
)
def test_a_bound_on_age_is_left_to_flask_unless_the_content_is_tracked(
    reader: Reader, field: str, *, is_found: bool
) -> None:
    reader.bench.local.put(on_demand("/users/octocat"), make_entry(b"{}"), NOW)
    responses = reader.responses()
    for _ in range(2):
        assert (responses.find(make_head("/users/octocat", field)) is not None) is is_found
        assert found(responses, "/", field) is not None


def test_what_is_not_held_is_found_as_soon_as_it_is(reader: Reader) -> None:
    responses = reader.responses()
    assert responses.find(make_head("/users/octocat")) is None
    reader.bench.local.put(on_demand("/users/octocat"), make_entry(b"{}"), NOW)
    assert sent_of(found(responses, "/users/octocat")).status == 200


# How often something is rendered.


def test_the_same_request_is_rendered_once_a_second(
    reader: Reader, rendered: list[HttpResponse]
) -> None:
    responses = reader.responses()
    first = found(responses)
    assert all(found(responses).head is first.head for _ in range(5))
    assert len(rendered) == 1
    reader.bench.clock.now += 1
    assert found(responses).head is first.head, "until the tick"
    responses.tick()
    second = found(responses)
    assert len(rendered) == 2
    assert sent_of(first).value("age") == "0"
    assert sent_of(second).value("age") == "1"
    assert dict(fields_of(second))["Date"] == "Fri, 15 Jan 2027 08:00:01 GMT"


def test_requests_that_ask_for_the_same_share_one_rendering(
    reader: Reader, rendered: list[HttpResponse]
) -> None:
    responses = reader.responses()
    first = found(responses, "/", "User-Agent: a", "Authorization: token x")
    assert found(responses, "/", "User-Agent: b", "Cache-Control: no-cache").head is first.head
    assert len(rendered) == 1


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        (["Accept-Encoding: gzip"], {}),
        (['If-None-Match: "x"'], {}),
        ([f"If-Modified-Since: {DATE}"], {}),
        (["Connection: close"], {}),
        ([], {"host": "b.test"}),
        ([], {"method": "HEAD"}),
        (["X-Forwarded-Host: b.test"], {}),
        (["X-Forwarded-Proto: https"], {}),
    ],
)
def test_whatever_an_answer_depends_on_has_a_rendering_of_its_own(
    reader: Reader, rendered: list[HttpResponse], fields: list[str], known: dict[str, str]
) -> None:
    responses = reader.responses(trusted=True)
    before = found(responses, "/orgs/Netflix/members?page=2")
    other = found(responses, "/orgs/Netflix/members?page=2", *fields, **known)
    assert len(rendered) == 2
    assert found(responses, "/orgs/Netflix/members?page=2").head is before.head
    assert found(responses, "/orgs/Netflix/members?page=2", *fields, **known).head is other.head
    assert len(rendered) == 2


def test_a_new_entry_is_answered_at_once(reader: Reader, rendered: list[HttpResponse]) -> None:
    responses = reader.responses()
    found(responses)
    newer = make_entry(b'{"url": "y"}', etag="new", version=2, validated_at=NOW + 0.1)
    reader.bench.local.put(tracked("/"), newer, NOW)
    serialized = found(responses)
    assert sent_of(serialized).body == b'{"url": "y"}'
    assert sent_of(serialized).value("etag") == '"new"'
    assert len(rendered) == 2


def test_a_confirmed_entry_is_answered_as_fresh_at_once(reader: Reader) -> None:
    reader.bench.clock.now = NOW + 1000.5
    responses = reader.responses()
    stale = sent_of(found(responses)).value("cache-status")
    assert stale == "api-read-cache; hit; ttl=-1; detail=local"
    metadata = replace(
        entry_of(reader, "/").metadata, validated_at=NOW + 1000, fresh_until=NOW + 2000
    )
    reader.bench.local.confirm(tracked("/"), metadata, NOW + 1000)
    fresh = sent_of(found(responses)).value("cache-status")
    assert fresh == "api-read-cache; hit; ttl=999; detail=local"


def test_a_change_elsewhere_renders_nothing_again(
    reader: Reader, rendered: list[HttpResponse]
) -> None:
    responses = reader.responses()
    first = found(responses)
    reader.bench.local.put(on_demand("/users/other"), make_entry(b"{}"), NOW)
    assert found(responses).head is first.head
    assert len(rendered) == 1


# What is told to the others.


def test_on_demand_content_is_marked_as_asked_for_once_a_second(reader: Reader) -> None:
    responses, clock, mona = reader.responses(), reader.bench.clock, on_demand("/users/mona")

    def asked_at() -> float:
        held = reader.bench.local.peek(mona)
        assert held is not None
        return held.asked_at

    for second in range(1, 4):
        clock.now = NOW + second
        responses.tick()
        found(responses, "/users/mona")
        assert asked_at() == NOW + second
    reader.bench.local.drop_unasked(NOW + 3 + KEEP)
    assert reader.bench.local.peek(mona) is not None


def test_on_demand_content_that_is_asked_for_is_not_pushed_out() -> None:
    size = make_entry(b"{}").held_bytes
    with a_reader(local_max_bytes=3 * size) as reader:
        responses = reader.responses()
        for name in ("/users/a", "/users/b", "/users/c"):
            reader.bench.local.put(on_demand(name), make_entry(b"{}"), NOW)
        found(responses, "/users/a")
        reader.bench.local.put(on_demand("/users/d"), make_entry(b"{}"), NOW)
        assert responses.find(make_head("/users/a")) is not None
        assert responses.find(make_head("/users/b")) is None


def test_what_is_due_is_looked_at_and_served_meanwhile(reader: Reader) -> None:
    responses, synchronizer = reader.responses(), reader.bench.synchronizer
    found(responses)
    assert synchronizer.wanted.empty()
    held = reader.bench.local.peek(tracked("/"))
    assert held is not None
    reader.bench.clock.now = held.check_at
    responses.tick()
    assert sent_of(found(responses)).body == ROOT
    assert synchronizer.wanted.get_nowait() == tracked("/")


# How bytes are kept.


@pytest.mark.parametrize(("size", "joined"), [(8192, True), (8193, False)])
def test_a_small_body_is_joined_to_its_head_and_a_large_one_is_not(
    reader: Reader, size: int, joined: bool
) -> None:
    body = b"1" * size
    reader.bench.local.put(on_demand("/users/sized"), make_entry(body), NOW)
    serialized = found(reader.responses(), "/users/sized")
    assert serialized.head.endswith(END + body if joined else END)
    assert serialized.body == (b"" if joined else body)


def test_a_large_body_is_the_entrys_own_and_no_copy(reader: Reader) -> None:
    entry = entry_of(reader, "/orgs/Netflix")
    assert found(reader.responses(), "/orgs/Netflix").body is entry.body


def test_a_large_encoded_body_is_the_entrys_own_and_no_copy(reader: Reader) -> None:
    encoded = gzip.compress(bytes(range(256)) * 100, compresslevel=0, mtime=0)
    entry = replace(make_entry(LARGE), encoded={"gzip": encoded})
    reader.bench.local.put(on_demand("/users/large"), entry, NOW)
    serialized = found(reader.responses(), "/users/large", "Accept-Encoding: gzip")
    assert serialized.body is encoded


# What is remembered is bounded, in number and in bytes.


def remembered(responses: RenderedResponses) -> list[Any]:
    return [responses._parsed_requests, responses._targets, responses._hot, responses._rendered]


def test_many_different_requests_are_not_all_remembered(reader: Reader) -> None:
    responses = reader.responses()
    for number in range(2500):
        found(responses, f"/?{'&' * (number % 50)}", f"X-A: {number}", host=f"h{number}")
        responses.find(make_head(f"/nothing/{number}"))
        responses.find(b"nonsense %d\r\n\r\n" % number)
    assert all(0 < len(one) <= 2048 for one in remembered(responses))


def test_a_long_request_is_answered_and_not_remembered(reader: Reader) -> None:
    responses = reader.responses()
    found(responses, f"/?{'&' * 1500}", f"X-A: {'a' * 2000}")
    assert responses.find(make_head(f"/{'a' * 3000}")) is None
    assert responses.find(b"x" * 100_000 + END) is None
    assert not responses._hot
    assert not responses._parsed_requests
    assert all(len(target) <= 2048 for target in responses._targets)


def test_a_large_page_is_a_part_of_the_entrys_body_and_no_copy(reader: Reader) -> None:
    array = JsonArray.join(b'"' + b"x" * 1000 + b'"' for _ in range(300))
    large = Entry(make_metadata(version=2, validated_at=NOW + 1), array.body, array=array)
    reader.bench.local.put(tracked("/orgs/Netflix/members"), large, NOW)
    responses = reader.responses()
    for number in range(1000):
        page = found(responses, "/orgs/Netflix/members?per_page=100&page=2", host=f"h{number}")
        assert isinstance(page.body, Buffers)
        assert isinstance(part := page.body.parts[1], memoryview)
        assert part.obj is array.body
    assert json.loads(sent_of(page).body) == ["x" * 1000] * 100


def test_whole_bodies_are_the_entrys_own(reader: Reader) -> None:
    encoded = {"gzip": gzip.compress(bytes(range(256)) * 400, compresslevel=0, mtime=0)}
    entry = replace(make_entry(LARGE * 10), encoded=encoded)
    reader.bench.local.put(on_demand("/users/large"), entry, NOW)
    responses = reader.responses()
    for number in range(500):
        host = f"h{number}"
        assert found(responses, "/users/large", host=host).body is entry.body
        packed = found(responses, "/users/large", "Accept-Encoding: gzip", host=host)
        assert packed.body is encoded["gzip"]
    assert len(responses._rendered) == 1000


# Nothing that a client sends can end a field of an answer, or begin another one.

ODD = st.lists(
    st.sampled_from([*"ab1:/.-_[]@?&=,;<>\"' \r\n\t\0", "\x85", "é", "%", "%0d", "%0A"]),
    max_size=25,
).map("".join)


def test_nothing_that_is_sent_makes_another_field() -> None:
    with a_reader() as reader:
        local, find = reader.bench.local, reader.process.catalogue.find
        local.put(tracked("/orgs/Netflix/members"), make_list_entry(300), NOW)
        linked = make_entry(b"{}", links=(("next", "page=3"),))
        responses = reader.responses(trusted=True)
        plain = found(responses, "/orgs/Netflix/members?page=2")

        @given(host=ODD, forwarded=ODD, path=ODD, proto=ODD)
        def makes_none(host: str, forwarded: str, path: str, proto: str) -> None:
            named = f"/users/a{path}"
            resource = find(named.partition("?")[0], named.partition("?")[2])
            if resource is not None:
                local.put(resource, linked, NOW)
            for target in ("/orgs/Netflix/members?page=2", named):
                fields = [f"X-Forwarded-Host: {forwarded}", f"X-Forwarded-Proto: {proto}"]
                pair = responses.find(make_head(target, *fields, host=host))
                if pair is None:
                    continue
                names = [name for name, _ in fields_of(pair[0])]
                assert names == [name for name, _ in fields_of(plain)]
                head = head_of(pair[0]).partition(END)[0]
                assert head.count(b"\r") == head.count(b"\n") == len(names)
                assert head.isascii()

        makes_none()


# What a request is called, and how it is counted.


def id_of(responses: RenderedResponses, target: str = "/", *fields: str) -> bytes | None:
    """The id that a request came with; None where it is to be given one when it is answered."""
    pair = responses.find(make_head(target, *fields))
    assert pair is not None
    return pair[1]


@pytest.mark.parametrize("target", ["/", "/orgs/Netflix", "/orgs/Netflix/members?page=2"])
def test_a_client_s_id_is_in_its_answer_and_in_no_other(reader: Reader, target: str) -> None:
    responses = reader.responses()
    for number in range(3):
        assert id_of(responses, target, f"X-Request-Id: abc-{number}") == f"abc-{number}".encode()
        assert id_of(responses, target) is None


@pytest.mark.parametrize("field", ["X-Request-Id:abc", "x-request-id:  abc  ", "X-REQUEST-ID: abc"])
def test_a_client_s_id_is_found_however_it_is_written(reader: Reader, field: str) -> None:
    assert id_of(reader.responses(), "/", field) == b"abc"


def test_an_answer_has_one_place_for_an_id(reader: Reader) -> None:
    names = [name for name, _ in fields_of(found(reader.responses()))]
    assert names.count("X-Request-Id") == 1


def test_a_request_that_is_called_two_things_is_left_to_flask(reader: Reader) -> None:
    twice = make_head("/", "X-Request-Id: a", "X-Request-Id: b")
    assert reader.responses().find(twice) is None


@pytest.mark.parametrize("odd", ["two words", "", "x" * 129, "<script>", "caf\xe9", "a,b"])
def test_an_odd_id_is_replaced(reader: Reader, odd: str) -> None:
    responses = reader.responses()
    for _ in range(2):
        field = f"X-Request-Id: {odd}"
        assert id_of(responses, "/", field) in {None, b"an-id"}
        assert sent_of(found(responses, "/", field)).body == ROOT


def test_an_id_with_a_tab_is_left_to_gunicorn(reader: Reader) -> None:
    assert reader.responses().find(make_head("/", "X-Request-Id: a\tb")) is None


def test_ids_render_nothing_again(reader: Reader, rendered: list[HttpResponse]) -> None:
    responses = reader.responses()
    first = found(responses)
    for number in range(50):
        assert found(responses, "/", f"X-Request-Id: {number}").head is first.head
    assert found(responses).head is first.head
    assert len(rendered) == 1


def test_ids_push_nothing_out_of_what_is_remembered(reader: Reader) -> None:
    """Each request is another one, or a busy second would remember nothing but them."""
    responses = reader.responses()
    plain, other = make_head("/"), make_head("/users/mona")
    for request in (plain, other):
        responses.find(request)
    lines_before, hot_before = set(head_module._lines), dict(responses._hot)
    for number in range(2500):
        found(responses, "/", f"X-Request-Id: {number}")
    assert responses._hot == hot_before
    assert set(head_module._lines) == lines_before
    assert len(responses._recent) == 2
    assert len(responses._parsed_requests) == 2


def test_the_look_that_a_request_finds_due_is_in_its_name(reader: Reader) -> None:
    responses, synchronizer = reader.responses(), reader.bench.synchronizer
    held = reader.bench.local.peek(tracked("/"))
    assert held is not None
    reader.bench.clock.now = held.check_at
    responses.tick()
    found(responses, "/", "X-Request-Id: abc-123")
    assert synchronizer._due[tracked("/").id] == (tracked("/"), "abc-123", True)


def test_the_look_is_in_the_name_that_the_answer_was_given(reader: Reader) -> None:
    responses, synchronizer = reader.responses(), reader.bench.synchronizer
    held = reader.bench.local.peek(tracked("/"))
    assert held is not None
    reader.bench.clock.now = held.check_at
    responses.tick()
    assert id_of(responses) == b"an-id"
    assert synchronizer._due[tracked("/").id] == (tracked("/"), "an-id", True)


def test_a_response_carries_the_counter_of_its_labels(reader: Reader) -> None:
    responses = reader.responses()
    labels = RequestLabels("/", Served.LOCAL, 304)
    serialized = found(responses, "/", 'If-None-Match: "root"')
    assert serialized.counter is responses._counters.of(labels)


def test_no_answer_that_is_found_after_a_second_counts_with_a_counter_that_was_taken(
    reader: Reader,
) -> None:
    responses = reader.responses()
    targets = ["/", "/users/mona", "/view/top/2/stars"]
    before = [found(responses, target).counter for target in targets]
    responses.tick()
    taken = responses._counters.take()
    assert set(map(id, before)) == set(map(id, taken))
    after = [found(responses, target).counter for target in targets]
    assert not set(map(id, after)) & set(map(id, taken))
