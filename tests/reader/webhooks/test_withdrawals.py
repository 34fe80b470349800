"""Which events withdraw a repository, and which say that it is public."""

from typing import Any

import pytest

from reader.webhooks.withdrawals import NOTHING_SAID, verdict

PUBLIC = {
    "id": 4711,
    "name": "Secret",
    "full_name": "Netflix/Secret",
    "owner": {"login": "Netflix"},
    "private": False,
    "updated_at": "2026-11-26T10:00:00Z",
}
PRIVATE = PUBLIC | {"private": True}
NAMES = ["netflix/secret", "#4711"]


def said(event: str, action: str | None, about: Any, **payload: Any) -> Any:
    body = {"repository": about, "action": action, **payload}
    found = verdict(event, body, include_private=False)
    return found.is_withdrawn, list(found.repositories)


def test_what_becomes_private_or_is_deleted_is_withdrawn() -> None:
    assert said("repository", "privatized", PRIVATE) == (True, NAMES)
    assert said("repository", "deleted", PUBLIC) == (True, NAMES)
    for changes in ({"private": {"from": False}}, {"visibility": {"from": "public"}}):
        assert said("repository", "edited", PRIVATE, changes=changes) == (True, NAMES)


def test_former_names_are_withdrawn_too() -> None:
    changes = {"private": {"from": False}, "repository": {"name": {"from": "Old"}}}
    changes["owner"] = {"from": {"user": {"login": "Mona"}}}
    _, names = said("repository", "edited", PRIVATE, changes=changes)
    assert names == ["netflix/secret", "netflix/old", "mona/secret", "#4711"]


@pytest.mark.parametrize(
    ("event", "action"),
    [("repository", "publicized"), ("public", None), ("repository", "created")],
)
def test_what_is_public_is_admitted(event: str, action: str | None) -> None:
    assert said(event, action, PUBLIC) == (False, NAMES)


def test_what_was_private_all_the_time_is_named_to_nobody() -> None:
    for action in ("deleted", "created", "edited", "renamed"):
        assert said("repository", action, PRIVATE) == (False, [])
    assert verdict("push", {"repository": PRIVATE}, include_private=False) == NOTHING_SAID


def test_private_repositories_that_are_admitted_are_withdrawn_only_if_they_are_deleted() -> None:
    for about in (PUBLIC, PRIVATE):
        body = {"repository": about, "action": "deleted"}
        assert verdict("repository", body, include_private=True).is_withdrawn
    body = {"repository": PRIVATE, "action": "privatized"}
    assert not verdict("repository", body, include_private=True).is_withdrawn


@pytest.mark.parametrize(
    "about",
    [
        *(None, 1, [], {}, {"full_name": 1, "id": "a", "owner": 3}),
        {"full_name": "no-slash", "id": True},
        {"full_name": "a/\n", "id": -1, "updated_at": {}},
        {"full_name": "a/" + "b" * 1000},
    ],
)
def test_nonsense_names_nothing(about: Any) -> None:
    assert said("repository", "deleted", about)[1] == []


def test_a_time_is_one_word() -> None:
    about = PUBLIC | {"updated_at": "2026 or so"}
    found = verdict("repository", {"repository": about, "action": "deleted"}, include_private=False)
    assert found.updated_at == ""
