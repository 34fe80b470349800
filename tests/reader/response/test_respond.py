"""The pipeline from an entry to a labelled response, and error responses."""

import json

import pytest

from reader.errors import ApiError, BadRequest, Unavailable
from reader.response.representation import Representation, whole
from reader.response.respond import refuse, respond
from reader.response.response import CORS_HEADERS, RequestFields, to_response
from reader.response.target import Target, parse_target
from reader.telemetry.counters import RequestLabels, Route
from shared.entry import Entry
from shared.outcomes import Served
from tests.builders import CATALOGUE, JSON, NOW, make_entry, make_list_entry, make_ranked_entry

FIELDS = RequestFields("http://a.test/")
RANKED = make_ranked_entry({"Netflix/a": 1, "Netflix/b": 2}, etag="tag")


@pytest.mark.parametrize(
    ("target", "entry", "labels"),
    [
        ("/", make_entry(), RequestLabels("/", Served.LOCAL, 200)),
        ("/orgs/netflix", make_entry(), RequestLabels("/orgs/{org}", Served.LOCAL, 200)),
        (
            "/orgs/Netflix/members?page=2",
            make_list_entry(50),
            RequestLabels("/orgs/{org}/members", Served.LOCAL, 200),
        ),
        ("/view/top/2/stars", RANKED, RequestLabels(Route.VIEW, Served.LOCAL, 200)),
        (
            "/users/mona",
            make_entry(),
            RequestLabels("on-demand", Served.LOCAL, 200, name="/users/mona"),
        ),
        (
            "/users/mona",
            make_entry(status=404),
            RequestLabels("on-demand", Served.LOCAL, 404, name="/users/mona"),
        ),
    ],
)
@pytest.mark.parametrize("served", [Served.LOCAL, Served.REDIS, Served.WAITED])
def test_a_response_is_labelled_as_what_it_is(
    target: str, entry: Entry, labels: RequestLabels, served: Served
) -> None:
    parsed = parse_target(CATALOGUE, target)
    for now, is_stale in ((NOW, False), (NOW + 1000, True)):
        response, found = respond(parsed, entry, FIELDS, served=served, now=now)
        assert found == labels._replace(served=served, is_stale=is_stale)
        assert response == to_response(
            parsed.represent(entry), FIELDS, parsed.fields, served=served, now=now
        )


def test_a_304_is_labelled_as_one() -> None:
    fields = RequestFields("http://a.test/", if_none_match='"tag"')
    target = parse_target(CATALOGUE, "/")
    response, labels = respond(target, make_entry(), fields, served=Served.LOCAL, now=NOW)
    assert response.status == labels.status == 304


def test_a_whole_entry_is_sent_as_it_is_stored() -> None:
    entry = make_entry()
    target = parse_target(CATALOGUE, "/")
    response, _ = respond(target, entry, FIELDS, served=Served.LOCAL, now=NOW)
    assert response == to_response(
        whole(entry), FIELDS, target.fields, served=Served.LOCAL, now=NOW
    )


def test_an_entry_that_lacks_what_the_target_names_is_an_error_for_the_client() -> None:
    uncut = make_entry(b"[]")
    with pytest.raises(Unavailable) as raised:
        respond(
            parse_target(CATALOGUE, "/orgs/Netflix/members?page=1"),
            uncut,
            FIELDS,
            served=Served.LOCAL,
            now=NOW,
        )
    assert refuse(raised.value).status == 503


def test_whatever_error_a_target_raises_comes_through() -> None:
    def represent(entry: Entry) -> Representation:
        raise BadRequest("why")

    target = parse_target(CATALOGUE, "/")
    failing = Target(target.resource, represent, target.route)
    with pytest.raises(BadRequest, match="why"):
        respond(failing, make_entry(), FIELDS, served=Served.LOCAL, now=NOW)


def test_a_whole_error_response() -> None:
    response = refuse(ApiError(429, "Slow down.", {"Retry-After": "7"}))
    assert response.status == 429
    assert json.loads(bytes(response.body)) == {
        "message": "Slow down.",
        "documentation_url": "https://docs.github.com/rest",
        "status": "429",
    }
    assert response.headers == {
        "Content-Type": JSON,
        "Content-Length": str(len(response.body)),
        "Cache-Control": "no-store",
        **CORS_HEADERS,
        "Retry-After": "7",
    }


@pytest.mark.parametrize("message", ['"quoted"', "back\\slash", "\x00\n", "ä\u2028", "\ud800"])
def test_the_body_is_json_whatever_the_message(message: str) -> None:
    assert json.loads(bytes(refuse(BadRequest(message)).body))["message"] == message
