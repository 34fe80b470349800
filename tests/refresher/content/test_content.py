"""What is stored is expanded, public and ready to be sent."""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refresher.content import content as contents
from refresher.content.content import Content, not_found, of_list, without_hidden
from refresher.content.narrowing import Findings
from refresher.content.page import Body, Page
from refresher.errors import OriginError
from refresher.github.question import Question
from refresher.github.response import GitHubResponse
from shared.encodings import ENCODINGS
from shared.github_form import JSON
from shared.outcomes import FailureKind
from shared.resources.kinds import REPOSITORIES
from shared.resources.operations.shapes import FREE, SCALAR, Shape
from tests.builders import RANKINGS
from tests.http_client import DECOMPRESS
from tests.refresher.workbench import (
    REPOS,
    UNRANKED,
    make_list,
    make_read,
    make_repository,
    make_response,
    property_test,
)

LONG = b'["' + b"abc " * 300 + b'"]'


def encoded(body: bytes) -> Mapping[str, bytes]:
    """The compressed forms of a body."""
    entry = Content(200, body).entry(REPOS, version=1, now=0, lifetime=1)
    return {name: bytes(smaller) for name, smaller in entry.encoded.items()}


def of_response(response: GitHubResponse, *, shape: Shape = FREE, tracked: bool = False) -> Content:
    """The content of a response; by default of any shape and for an on-demand resource."""
    page, question = Page.of(response, response.url), Question("/x", "", shape, anonymously=False)
    return contents.of_response(
        response, page, question=question, is_object=tracked, findings=Findings()
    )


class TestAList:
    """All pages, flattened into one array."""

    def test_is_one_array_that_can_be_cut_at_its_items(self) -> None:
        content = make_list({"id": 1}, {"id": 22})
        assert content.body == b'[{"id":1},{"id":22}]'
        assert list(content.ends or ()) == [9, 19]
        assert content.ids == [1, 22]
        assert (content.status, content.content_type, content.links) == (200, JSON, ())

    def test_may_be_empty(self) -> None:
        content = make_list()
        assert content.ends is not None
        assert (content.body, list(content.ends), content.ids) == (b"[]", [], [])

    def test_keeps_the_pages_it_was_read_from(self) -> None:
        read = make_read({"id": 1})
        assert of_list(read, UNRANKED).pages == read.pages

    def test_is_ranked_where_it_is_to_be(self) -> None:
        repository = make_repository(1, forks_count=3)
        assert make_list(repository).views == {}
        views = make_list(repository, kind=REPOSITORIES).views
        assert set(views) == set(RANKINGS)
        assert views["forks"].body == b'[["Netflix/1", 3]]'

    def test_leaves_private_items_out_of_body_and_views(self) -> None:
        public, private = make_repository(1), make_repository(2, private=True)
        content = make_list(
            public, private, make_repository(3, visibility="internal"), kind=REPOSITORIES
        )
        assert json.loads(content.body) == [public]
        assert len(content.ends or ()) == 1
        assert content.views["stars"].body == b'[["Netflix/1", 0]]'

    def test_remembers_the_ids_of_private_items_to_see_whether_it_is_whole(self) -> None:
        assert make_list(make_repository(1), make_repository(2, private=True)).ids == [1, 2]

    def test_shows_private_items_where_that_is_wanted(self) -> None:
        items = [make_repository(1), make_repository(2, private=True)]
        content = of_list(make_read(*items, kind=REPOSITORIES, include_private=True), REPOSITORIES)
        assert json.loads(content.body) == items
        assert content.views["stars"].body == b'[["Netflix/1", 0], ["Netflix/2", 0]]'


class TestAnAnswer:
    """Resources other than lists keep GitHub's own bytes."""

    def test_is_kept_byte_for_byte(self) -> None:
        body = b'\n { "a" : "\\u00e9", "b":"\xc3\xa9" }\n'
        response = make_response(body=body, headers={"Content-Type": "application/vnd.github+json"})
        content = of_response(response)
        assert content == Content(
            200,
            body,
            "application/vnd.github+json",
            links=[],
            pages=[Page.of(response, response.url)],
        )

    @pytest.mark.parametrize("status", [404, 409, 410, 422, 451])
    def test_keeps_its_status(self, status: int) -> None:
        content = of_response(make_response(status, b'{"message":"no"}'))
        assert (content.status, content.body) == (status, b'{"message":"no"}')

    def test_without_content_has_none(self) -> None:
        assert of_response(make_response(204, b"")) == Content(204, b"")

    @pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff"])
    def test_must_be_json(self, body: bytes) -> None:
        with pytest.raises(OriginError) as refused:
            of_response(make_response(body=body))
        assert refused.value.kind is FailureKind.NOT_JSON

    @pytest.mark.parametrize("body", [b"[]", b"[{}]", b"5", b"null", b'"x"'])
    def test_of_a_tracked_resource_must_be_an_object(self, body: bytes) -> None:
        with pytest.raises(OriginError) as refused:
            of_response(make_response(body=body), tracked=True)
        assert refused.value.kind is FailureKind.UNEXPECTED
        assert of_response(make_response(body=body)).body == body

    def test_keeps_the_queries_of_its_links_in_github_s_order(self) -> None:
        base = "https://api.github.com/repositories/5/issues?"
        links = {
            "first": base + "per_page=2&page=1",
            "last": base + "page=9&per_page=2",
            "next": base + "after=Y3Vyc29y%3D%3D&page=3",
            "prev": base + "page=1",
            "hub": base + "x",
        }
        content = of_response(make_response(body=b"[]", links=links))
        assert content.links == [
            ("prev", "page=1"),
            ("next", "after=Y3Vyc29y%3D%3D&page=3"),
            ("last", "page=9&per_page=2"),
            ("first", "per_page=2&page=1"),
        ]

    def test_loses_what_its_public_shape_lacks_and_no_other_byte(self) -> None:
        body = b'{ "id" : 1, "plan": {"name": "x"}, "n": 1.0 }'
        shape = Shape({"id": SCALAR, "n": SCALAR})
        assert of_response(make_response(body=body), shape=shape).body == b'{ "id" : 1, "n": 1.0 }'

    @pytest.mark.parametrize("body", [b'{"message":"Server Error"}', b"5", b'"x"', b"null"])
    def test_is_not_an_error_that_is_sent_with_a_200(self, body: bytes) -> None:
        with pytest.raises(OriginError) as refused:
            of_response(make_response(body=body), shape=Shape({"id": SCALAR}))
        assert refused.value.kind is FailureKind.UNEXPECTED

    @pytest.mark.parametrize("body", [b"{}", b"[]"])
    def test_may_be_empty(self, body: bytes) -> None:
        shape = Shape({"id": SCALAR}, items=Shape({"id": SCALAR}))
        assert of_response(make_response(body=body), shape=shape).body == body

    def test_may_not_be_deeper_than_can_be_read(self) -> None:
        shape = Shape({})
        assert shape.members is not None
        shape.members["parent"] = shape
        body = b'{"parent":' * 900 + b"null" + b"}" * 900
        with pytest.raises(OriginError) as refused:
            of_response(make_response(body=body), shape=shape)
        assert refused.value.kind in {FailureKind.UNEXPECTED, FailureKind.NOT_JSON}

    @pytest.mark.parametrize("body", [b"[]", b'{"id": 1}'])
    def test_of_another_shape_than_github_describes_is_unexpected(self, body: bytes) -> None:
        with pytest.raises(OriginError) as refused:
            of_response(make_response(body=body), shape=SCALAR)
        assert refused.value.kind is FailureKind.UNEXPECTED

    def test_that_is_nested_too_deeply_is_unexpected(self) -> None:
        shape = Shape({})
        assert shape.members is not None
        shape.members["parent"] = shape
        body = b'{"x":1,"parent":' * 900 + b"{}" + b"}" * 900
        with pytest.raises(OriginError) as refused:
            of_response(make_response(body=body), shape=shape)
        assert refused.value.kind in {FailureKind.UNEXPECTED, FailureKind.NOT_JSON}

    def test_with_an_error_keeps_what_github_says_of_errors_alone(self) -> None:
        body = b'{"message":"no","errors":[{"code":"x"}],"token":"t","status":"422"}'
        content = of_response(make_response(422, body))
        assert content.body == b'{"message":"no","errors":[{"code":"x"}],"status":"422"}'

    @pytest.mark.parametrize("mark", [{"private": True}, {"visibility": "internal"}])
    def test_that_is_private_is_a_404_without_a_trace_of_it(self, mark: dict[str, object]) -> None:
        body = json.dumps({"name": "secret-project", **mark}).encode()
        assert of_response(make_response(body=body)) == not_found()


class TestWithoutHidden:
    """The public part of a response that should have been public as a whole."""

    SHAPE = Shape(items=Shape({}, others=FREE))

    def test_a_list_loses_its_private_items_and_no_other_byte(self) -> None:
        body = b'[ {"id": 1}, {"id": 2, "public": false} ,\n{"id":3, "n": 1.0} ]'
        content = without_hidden(Content(200, body), shape=self.SHAPE)
        assert content.body == b'[{"id": 1},{"id":3, "n": 1.0}]'

    def test_an_object_becomes_a_404(self) -> None:
        shape = Shape({}, others=FREE)
        assert without_hidden(Content(200, b'{"private":true}'), shape=shape) == not_found()


def test_what_may_not_be_seen_looks_like_what_is_not_there() -> None:
    content = not_found()
    githubs = b'{"message":"Not Found","documentation_url":"https://docs.github.com/rest/repos"}'
    found = of_response(make_response(404, githubs, headers={"Content-Type": JSON}))
    assert replace(found, pages=[]) == replace(content, pages=[])
    assert found.etag == content.etag
    assert content.status == 404
    assert json.loads(content.body) == {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    }


class TestTheEtag:
    """A strong entity tag changes if and only if a client could see a difference."""

    BASE = Content(200, b"[]", JSON, links=(("next", "page=2"),))

    @pytest.mark.parametrize(
        "other",
        [
            replace(BASE, status=404),
            replace(BASE, body=b"[ ]"),
            replace(BASE, content_type="application/json"),
            replace(BASE, links=()),
            replace(BASE, links=(("next", "page=3"),)),
            replace(BASE, links=(("prev", "page=2"),)),
            replace(BASE, location="https://codeload.github.com/x"),
            make_list(),  # a list that can be cut into other pages
        ],
    )
    def test_differs_with_all_that_a_client_can_see(self, other: Content) -> None:
        assert other.etag != self.BASE.etag

    @pytest.mark.parametrize(
        "other",
        [
            replace(BASE, ids=[1]),
            replace(BASE, pages=[Page("https://x", 'W/"1"', None, Body.of(b"[]"))]),
            replace(BASE, links=[("next", "page=2")]),
        ],
    )
    def test_is_the_same_for_what_no_client_sees(self, other: Content) -> None:
        assert other.etag == self.BASE.etag

    def test_is_the_digest_that_every_refresher_makes(self) -> None:
        seen = b'["whole", 200, "application/json; charset=utf-8", [["next", "page=2"]]]\n[]'
        assert self.BASE.etag == hashlib.sha256(seen).hexdigest()[:32]


class TestTheEntry:
    """The entry that content becomes at a given time."""

    def test_has_its_version_and_its_lifetime(self) -> None:
        content = make_list({"id": 1}, {"id": 2})
        metadata = content.entry(REPOS, version=7, now=100.5, lifetime=50).metadata
        assert (metadata.version, metadata.etag, metadata.status) == (7, content.etag, 200)
        assert (metadata.changed_at, metadata.validated_at) == (100.5, 100.5)
        assert metadata.fresh_until == 150.5
        assert (metadata.size, metadata.items) == (len(content.body), 2)

    def test_has_items_only_where_it_is_a_list(self) -> None:
        assert make_list().entry(REPOS, version=1, now=0, lifetime=1).metadata.items == 0
        assert not_found().entry(REPOS, version=1, now=0, lifetime=1).metadata.items is None

    def test_is_compressed_to_the_same_bytes_whenever_it_is_made(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = []
        for moment in (1_000_000_000.0, 2_000_000_000.0):
            monkeypatch.setattr("time.time", lambda moment=moment: moment)
            made.append(encoded(LONG))
        assert made[0] == made[1]

    def test_is_compressed_in_every_encoding_that_readers_know(self) -> None:
        made = encoded(LONG)
        assert set(made) == set(ENCODINGS) == set(DECOMPRESS)
        for name, body in made.items():
            assert DECOMPRESS[name](body) == LONG

    def test_is_smallest_in_the_encoding_that_readers_like_best(self) -> None:
        repositories = [make_repository(number) for number in range(100)]
        made = encoded(json.dumps(repositories).encode())
        assert sorted(made, key=lambda name: len(made[name])) == list(ENCODINGS)

    @property_test
    @given(st.binary(max_size=2000))
    @example(random.Random(1).randbytes(2000))
    @example(bytes(2000))
    def test_is_compressed_only_where_that_saves_something(self, body: bytes) -> None:
        for name, smaller in encoded(body).items():
            assert len(smaller) < len(body)
            assert DECOMPRESS[name](smaller) == body

    def test_is_not_compressed_where_that_saves_nothing(self) -> None:
        assert encoded(random.Random(1).randbytes(5000)) == {}

    def test_is_not_compressed_where_it_is_short(self) -> None:
        assert encoded(b"[]" * 200) == {}
        assert encoded(b"") == {}
