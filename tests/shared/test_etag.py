"""Entity tags: equal for equal responses, and different for every other one."""

import hashlib
from typing import Any

import pytest

from shared import etag

KNOWN: dict[str, Any] = {
    "status": 200,
    "content_type": "application/json",
    "links": [("next", "page=2")],
}


def test_the_tag_of_an_entry_is_a_digest_of_what_clients_see() -> None:
    seen = b'["whole", 200, "application/json", [["next", "page=2"]]]\n{"a":1}'
    made = etag.of_content(b'{"a":1}', **KNOWN)
    assert made == hashlib.sha256(seen).hexdigest()[:32]


@pytest.mark.parametrize(
    "changed",
    [
        {"status": 404}, {"content_type": "text/plain"}, {"links": []},
        {"links": [("next", "page=3")]},
    ],
)  # fmt: skip
def test_whatever_a_client_sees_changes_the_tag(changed: dict[str, Any]) -> None:
    assert etag.of_content(b"{}", **{**KNOWN, **changed}) != etag.of_content(b"{}", **KNOWN)
    assert etag.of_content(b"[]", **KNOWN) != etag.of_content(b"{}", **KNOWN)


def test_parts_and_encodings_of_an_entry_have_tags_of_their_own() -> None:
    parts = [
        "x",
        etag.of_page(b"1", links=[]),
        etag.of_page(b"1", links=[("next", "page=2")]),
        etag.of_page(b"1", links=[("next", "page=3")]),
        etag.of_page(b"2", links=[]),
        etag.of_view([b"1"]),
        etag.of_view([b"2"]),
    ]
    every = [etag.of_encoding(part, coding) for part in parts for coding in (None, "br", "gzip")]
    assert len(set(every)) == len(every)


def test_the_tag_of_a_view_depends_on_its_bytes_alone() -> None:
    assert etag.of_view([b"[1", b", 2]"]) == etag.of_view([b"[1, 2]"])
