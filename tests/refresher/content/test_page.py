"""A page is stored with everything that the next conditional request needs."""

import gzip

import pytest

from refresher.content.page import Body, Page
from tests.refresher.workbench import make_response


def test_a_body_is_the_same_bytes_whenever_it_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for moment in (1_000_000_000.0, 2_000_000_000.0):
        monkeypatch.setattr("time.time", lambda moment=moment: moment)
        made.append(Body.of(b"[]" * 1000).packed())
    assert made[0] == made[1]
    assert gzip.decompress(made[0]) == b"[]" * 1000


def test_a_body_is_loaded_once_and_only_when_it_is_needed() -> None:
    calls = []

    def load() -> bytes:
        calls.append(1)
        return gzip.compress(b"{}")

    body = Body(load)
    assert calls == []
    assert (body.unpacked(), body.unpacked()) == (b"{}", b"{}")
    assert calls == [1]


def test_a_page_is_made_of_an_answer() -> None:
    response = make_response(
        body=b"[]", headers={"ETag": 'W/"a"'}, links={"next": "https://x/2", "last": "https://x/9"}
    )
    assert Page.of(response, "https://x/1", 0) == Page(
        "https://x/1", 'W/"a"', "https://x/2", Body.of(b"[]"), response.given_to, 0
    )
    assert Page.of(make_response(), "https://x").etag is None


PAGE = Page("https://x/1", 'W/"a"', "https://x/2", Body.of(b"[]"), "me", 0)


def test_a_304_without_a_word_of_its_own_leaves_a_page_as_it_was() -> None:
    assert PAGE.confirmed(make_response(304)).next_url == PAGE.next_url
    assert PAGE.confirmed(make_response(304)).etag == PAGE.etag


def test_a_304_may_bring_a_new_etag_and_a_new_link() -> None:
    response = make_response(304, headers={"ETag": 'W/"b"'}, links={"prev": "https://x/0"})
    assert PAGE.confirmed(response).etag == 'W/"b"'
    assert PAGE.confirmed(response).next_url is None
