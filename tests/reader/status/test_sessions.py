"""A session exists in Redis only, and cannot be made without the token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis

from reader.status.sessions import LIFETIME_S, Session, Sessions
from scripts.embedded_redis import EmbeddedRedis
from tests.builders import absent_redis

TOKEN = "an-admin-token-of-24-chars"


@pytest.fixture
def sessions(redis: Redis) -> Sessions:
    return Sessions(redis, TOKEN)


def all_of(redis: Redis) -> dict[bytes, bytes]:
    found = list(redis.scan_iter(match="*:session:*"))
    return {key: value for key in found if isinstance(value := redis.get(key), bytes)}


def test_a_session_is_good_for_every_reader_with_the_same_token_and_for_no_other(
    redis: Redis, sessions: Sessions
) -> None:
    cookie = sessions.begin()
    assert Sessions(redis, TOKEN).find(cookie) == Session(cookie)
    assert Sessions(redis, "another-token-of-24-chars").find(cookie) is None


def test_a_session_that_was_ended_is_over_at_every_reader(redis: Redis, sessions: Sessions) -> None:
    cookie, other = sessions.begin(), sessions.begin()
    sessions.end(Session(cookie))
    assert Sessions(redis, TOKEN).find(cookie) is None
    assert sessions.find(other) == Session(other)


def test_a_session_ends_by_itself(redis: Redis, sessions: Sessions) -> None:
    sessions.begin()
    (key,) = all_of(redis)
    assert LIFETIME_S - 300 < redis.ttl(key) <= LIFETIME_S


def test_redis_holds_neither_what_the_cookie_holds_nor_the_token(
    redis: Redis, sessions: Sessions
) -> None:
    cookie = sessions.begin()
    ((key, value),) = all_of(redis).items()
    for secret in (cookie, TOKEN):
        assert secret.encode() not in key + value
        assert secret not in repr(sessions.find(cookie))


def test_write_access_to_redis_is_not_enough_to_make_a_session(
    redis: Redis, sessions: Sessions
) -> None:
    """Neither with another session's proof, nor with one made with another token."""
    cookie = sessions.begin()
    ((key, proof),) = all_of(redis).items()
    forged = Sessions(redis, "another-token-of-24-chars").begin()
    assert sessions.find(forged) is None
    (of_forged,) = set(all_of(redis)) - {key}
    for value in (proof, b"", b"1", forged.encode()):
        redis.set(of_forged, value)
        assert sessions.find(forged) is None
    assert sessions.find(cookie) is not None


@pytest.mark.parametrize("text", ["", "x", "a" * 24, "é" * 24, "a" * 23 + "\n", "*" * 24, "\0"])
def test_no_other_text_is_a_cookie(sessions: Sessions, text: str) -> None:
    sessions.begin()
    assert sessions.find(text) is None


@given(st.integers(0, 23), st.characters(codec="ascii", categories=["L", "N"]))
def test_no_cookie_can_be_changed(redis_server: EmbeddedRedis, at: int, character: str) -> None:
    with Redis.from_url(redis_server.url) as redis:
        sessions = Sessions(redis, TOKEN)
        cookie = sessions.begin()
        changed = cookie[:at] + character + cookie[at + 1 :]
        assert (sessions.find(changed) is None) == (changed != cookie)


def test_a_malformed_cookie_is_not_looked_up() -> None:
    assert Sessions(absent_redis(), TOKEN).find("made-up") is None


def test_a_note_is_read_by_its_own_session_only() -> None:
    one, other = Session("a" * 24), Session("b" * 24)
    signed = one.signed("Refreshing is resumed.")
    assert one.text(signed) == "Refreshing is resumed."
    assert other.text(signed) is None
    assert Session().text(signed) is None
    assert one.text("made-up") is None


def test_an_old_note_is_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session("a" * 24)
    note = session.signed("x")
    monkeypatch.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: 2**33)
    assert session.text(note) is None
