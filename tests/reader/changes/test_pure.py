"""What events say, what is kept of them, what followers ask for, and how many there may be."""

import json
from contextlib import ExitStack
from typing import Any

import pytest

from reader.changes import window
from reader.changes.event import Event, parse
from reader.changes.following import MOST_RESOURCES, Following, following
from reader.changes.places import Places
from reader.changes.window import Window
from reader.errors import ApiError, BadRequest, TooMany, Unavailable
from shared.changes import EventId
from shared.resources.resource import Resource
from tests.builders import CATALOGUE, NOW, on_demand, tracked

ORG, REPOS, USER = tracked("/orgs/Netflix"), tracked("/orgs/Netflix/repos"), on_demand("/users/a")


def fields_of(resource: Resource | str = ORG, **members: Any) -> dict[bytes, bytes]:
    value = {
        "resource": resource.name if isinstance(resource, Resource) else resource,
        "form": ORG.form if isinstance(resource, str) else resource.form,
        "version": 7,
        "status": 200,
        "etag": '"tag"',
        "asked_at": NOW,
        **members,
    }
    return {b"event": json.dumps(value).encode()}


def make_event(number: int, resource: Resource = ORG, **members: Any) -> Event:
    event = parse(EventId(number, 0), fields_of(resource, **members), CATALOGUE)
    assert event is not None
    return event


class TestEvents:
    def test_are_sent_as_one_block(self) -> None:
        items = {"added": [{"id": 1, "name": "a\nb"}], "removed": [], "changed": []}
        lines = make_event(5, REPOS, items=items).lines.decode().split("\n")
        assert lines[:2] == ["id: 5-0", "event: change"]
        assert json.loads(lines[2].removeprefix("data: ")) == {
            "id": "5-0",
            "resource": "/orgs/Netflix/repos",
            "status": 200,
            "etag": '"tag"',
            "asked_at": "2027-01-15T08:00:00.000Z",
            "items": items,
        }
        assert lines[3:] == ["", ""]

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {b"event": b"x"},
            {b"event": b"[]"},
            {b"event": b"[" * 100_000},
            fields_of(asked_at=-1),
            fields_of(asked_at=1e30),
            fields_of(version="x"),
            fields_of(resource="/nothing/at/all"),
            fields_of(form="another one"),
        ],
    )
    def test_of_others_and_damaged_ones_are_skipped(self, fields: dict[bytes, bytes]) -> None:
        assert parse(EventId(1, 0), fields, CATALOGUE) is None


class TestWindow:
    def test_has_the_events_after_a_position(self) -> None:
        events = Window(EventId(1, 0))
        for number in (2, 3, 5):
            events.add(make_event(number))
        assert [one.id.milliseconds for one in events.after(EventId(2, 0), limit=9)] == [3, 5]
        assert [one.id.milliseconds for one in events.after(EventId(1, 0), limit=2)] == [2, 3]
        assert events.covers(EventId(1, 0))
        assert not events.covers(EventId(0, 9))
        events.move_on(EventId(9, 0))
        assert (events.position, events.after(EventId(5, 0), limit=9)) == (EventId(9, 0), [])

    @pytest.mark.parametrize("limit", ["MOST_EVENTS", "MOST_BYTES"])
    def test_is_bounded(self, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
        size = len(make_event(10).lines)
        monkeypatch.setattr(window, limit, 20 if limit == "MOST_EVENTS" else 20 * size)
        events = Window(EventId(0, 0))
        for number in range(1, 100):
            events.add(make_event(number))
            held = events.after(events.floor, limit=1000)
            assert len(held) <= 21
            assert held[-1].id == EventId(number, 0)
            assert held[0].id == EventId(events.floor.milliseconds + 1, 0)


def asked(query: str = "", *, accept: str = "", last_event_id: str = "") -> Following:
    return following(CATALOGUE, query, accept=accept, last_event_id=last_event_id)


class TestFollowing:
    def test_everything_tracked_is_usual(self) -> None:
        assert asked() == Following()
        assert asked().wants(make_event(1))
        assert not asked().wants(make_event(1, USER))

    def test_content_on_demand_is_told_to_those_who_name_it(self) -> None:
        one = asked("resource=/users/a&resource=%2Forgs%2Fnetflix%2Frepos%3Fpage%3D2")
        assert (one.tracked, one.on_demand) == (True, True)
        assert [one.wants(make_event(1, of)) for of in (USER, REPOS, ORG)] == [True, True, False]
        assert not one.wants(make_event(1, on_demand("/users/b")))
        only = asked("resource=/users/a")
        assert (only.tracked, only.on_demand) == (False, True)

    def test_a_representation_is_named_as_events_name_it(self) -> None:
        raw = on_demand("/repos/a/b/readme").represented(media="raw", version="")
        assert raw is not None
        one = asked(f"resource={raw.name.replace('#', '%23')}")
        assert one.wants(make_event(1, raw))
        assert not one.wants(make_event(2, on_demand("/repos/a/b/readme")))
        with pytest.raises(ApiError):
            asked("resource=/nope/nope/nope%23media=raw")

    def test_the_header_counts_more_than_the_query(self) -> None:
        assert asked("since=3-1").since == EventId(3, 1)
        assert asked("since=3-1", last_event_id="4").since == EventId(4, 0)

    def test_a_wait_is_bounded(self) -> None:
        assert (asked("wait=5").wait, asked("wait=99999").wait) == (5.0, 60.0)

    def test_server_sent_events_are_asked_for_by_accept(self) -> None:
        assert asked(accept="Text/Event-Stream").is_stream
        assert not asked(accept="*/*").is_stream

    @pytest.mark.parametrize(
        "query",
        [
            "x=1",
            "since=x",
            "since=-1",
            "wait=-1",
            "wait=1e9",
            "wait=" + "9" * 1000,
            "resource=orgs",
            "resource=/orgs/%0A",
            "resource=" + "x" * 9000,
            "&".join(["resource=/users/a"] * (MOST_RESOURCES + 1)),
            "&" * 100 + "&".join(["since=1"] * 60),
            "resource=/users/%ff",
        ],
    )
    def test_wrong_parameters_are_refused(self, query: str) -> None:
        with pytest.raises(BadRequest):
            asked(query)

    @pytest.mark.parametrize("path", ["/nothing", "/user", "//orgs", "/repos/a/b/traffic/views"])
    def test_what_is_not_served_cannot_be_followed(self, path: str) -> None:
        with pytest.raises(ApiError) as error:
            asked(f"resource={path}")
        assert error.value.status in {401, 403, 404}


class TestPlaces:
    def test_are_bounded_for_the_process_and_for_each_client(self) -> None:
        places = Places(3, 2)
        with ExitStack() as stack:
            stack.enter_context(places.take("a"))
            stack.enter_context(places.take("a"))
            with pytest.raises(TooMany):
                stack.enter_context(places.take("a"))
            stack.enter_context(places.take("b"))
            with pytest.raises(Unavailable) as error:
                stack.enter_context(places.take("c"))
            assert error.value.headers == {"Retry-After": "10"}
        assert places.taken == 0
        with places.take("a"), places.take("a"):
            assert places.taken == 2
