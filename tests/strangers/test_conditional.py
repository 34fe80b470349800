"""The reader and the refresher treat conditional requests as http-cache-tests asks, or say why."""

import socket
from collections.abc import Iterator

import pytest

from refresher.github.conditional import Identity, Validator
from refresher.github.request_headers import MEDIA_TYPE
from shared.clock import SYSTEM
from tests.builders import NOW, compressed, make_entry, tracked
from tests.reader.front.helpers import Reader, a_reader, make_head, sent_of
from tests.refresher.github.raw_server import raw_server, read_request
from tests.refresher.workbench import make_client, make_settings
from tests.strangers.conditional import Case, read_cases

PATH = "/orgs/Netflix"
OF_CLIENTS = ("fresh", "stale")
ALL = read_cases()


def those(*cases: str) -> pytest.MarkDecorator:
    """The parametrization of a test by the lines of some cases."""
    chosen = [one for one in ALL if one.case.startswith(cases)]
    return pytest.mark.parametrize("case", chosen, ids=[one.name for one in chosen])


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with a_reader() as made:
        made.bench.clock.now = NOW
        yield made


def test_all_26_cases_are_tried_and_explained_where_we_differ() -> None:
    assert len({case.name for case in ALL}) == len(ALL) == 26
    known = (*OF_CLIENTS, "revalidated", "not held")
    assert {case.case for case in ALL if not case.case.startswith(known)} == set()
    assert [case.name for case in ALL if (case.given == case.asked) != (case.why == "-")] == []
    assert [case.name for case in ALL if case.kind == "required" and case.why != "-"] == []


@those(*OF_CLIENTS)
def test_a_client_gets_what_is_asked_for(reader: Reader, case: Case) -> None:
    """From the front and from Flask."""
    fresh_until = NOW + 1000 if case.case == "fresh" else NOW - 1000
    entry = make_entry(etag="abcdef", changed_at=NOW - 3000, fresh_until=fresh_until)
    reader.bench.local.put(tracked(PATH), compressed(entry), NOW)
    front, flask = reader.responses(), reader.app.test_client()
    first = front.find(make_head(PATH))
    assert first is not None
    fields = case.fields(dict(sent_of(first[0]).fields))
    found = front.find(make_head(PATH, *(f"{name}: {value}" for name, value in fields.items())))
    assert found is not None
    sent, by_flask = sent_of(found[0]), flask.get(PATH, headers=fields)
    status, _, name = case.given.partition(" with ")
    assert {str(sent.status), str(by_flask.status_code)} == {status}
    if name:
        value = sent_of(first[0]).value(name.lower())
        assert sent.value(name.lower()) == by_flask.headers[name] == value


@those("revalidated")
def test_content_is_revalidated_as_is_asked_for(case: Case) -> None:
    """With the fields that the first request had."""
    heads: list[list[str]] = []
    fields = "".join(f"{name}: {value}\r\n" for name, value in case.fields({}).items())

    def behave(connection: socket.socket, number: int) -> None:
        while head := read_request(connection):
            heads.append(head.decode().split("\r\n"))
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nVary: Accept\r\n"
                + f"{fields}Content-Length: 2\r\n\r\n{{}}".encode()
            )

    with raw_server(behave) as server:
        origin = make_client(make_settings(f"http://{server.address}"), clock=SYSTEM)
        url = origin.url_of(PATH)
        first = origin.get(url)
        given_to = first.given_to
        if "another credential" in case.case:
            given_to = Identity(MEDIA_TYPE, "Bearer of-another").fingerprint
        origin.get(url, Validator(first.headers["ETag"], given_to, lambda: first.body))
        origin.transport.close()
    before, again = heads
    accept = [line for line in before if line.startswith("Accept:")]
    assert accept == [line for line in again if line.startswith("Accept:")] != []
    if case.given != "Accept as before":
        (line,) = [line for line in again if line.startswith("If-None-Match:")]
        assert line.startswith(case.given.removesuffix("..."))
