"""Who may act, and what of theirs can be forged: nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from reader.status.admin import Admin, Session

TOKEN = "an-admin-token-of-24-chars"
ADMIN = Admin(SecretStr(TOKEN))


def session(*, authorization: str = "", cookie: str = "", admin: Admin = ADMIN) -> Session | None:
    return admin.session(authorization=authorization, cookie=cookie)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_in_the_header_proves_who_sends_it(scheme: str) -> None:
    assert session(authorization=f"{scheme} {TOKEN}") == Session()


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, f"token {TOKEN}"],
)
def test_nothing_else_does(authorization: str) -> None:
    assert session(authorization=authorization) is None


def test_a_wrong_header_is_not_made_good_by_a_cookie() -> None:
    assert session(authorization="Bearer wrong", cookie=ADMIN.new_cookie()) is None


def test_a_cookie_is_good_for_every_reader_with_the_same_token_and_for_no_other() -> None:
    cookie = ADMIN.new_cookie()
    assert session(cookie=cookie, admin=Admin(SecretStr(TOKEN))) is not None
    assert session(cookie=cookie, admin=Admin(SecretStr("another"))) is None
    assert session(cookie=cookie, admin=Admin(None)) is None


def test_a_cookie_tells_nothing_of_the_token() -> None:
    assert TOKEN not in ADMIN.new_cookie()


@given(st.text(max_size=80))
def test_no_text_is_a_cookie(text: str) -> None:
    assert session(cookie=text) is None
    assert ADMIN.text(text) is None


@given(st.integers(0, 200), st.characters(codec="ascii", categories=["L", "N"]))
def test_no_cookie_can_be_changed(at: int, character: str) -> None:
    cookie = ADMIN.new_cookie()
    at %= len(cookie) - 1  # the last character holds bits that mean nothing
    changed = cookie[:at] + character + cookie[at + 1 :]
    if changed != cookie:
        assert session(cookie=changed) is None


def test_a_note_is_not_a_session() -> None:
    signed = ADMIN.signed("Refreshing goes on.")
    assert ADMIN.text(signed) == "Refreshing goes on."
    assert session(cookie=signed) is None
    assert ADMIN.text(ADMIN.new_cookie()) is None


def test_an_old_cookie_and_an_old_note_are_worth_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cookie, note = ADMIN.new_cookie(), ADMIN.signed("x")
    with monkeypatch.context() as later:
        later.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: 2**33)
        assert session(cookie=cookie) is None
        assert ADMIN.text(note) is None
    assert session(cookie=cookie) is not None


def test_a_post_with_the_cookie_needs_the_sessions_own_word() -> None:
    known = session(cookie=ADMIN.new_cookie())
    assert known is not None
    assert known.csrf
    assert Admin.is_meant(known, csrf=known.csrf, fetch_site="same-origin")
    assert Admin.is_meant(known, csrf=known.csrf, fetch_site="")
    assert not Admin.is_meant(known, csrf="", fetch_site="same-origin")
    assert not Admin.is_meant(known, csrf="guessed", fetch_site="same-origin")
    for site in ("cross-site", "same-site", "none"):
        assert not Admin.is_meant(known, csrf=known.csrf, fetch_site=site)


def test_a_program_that_holds_the_token_needs_none() -> None:
    assert Admin.is_meant(Session(), csrf="", fetch_site="")


def test_without_a_token_nobody_is_anybody() -> None:
    nobody = Admin(None)
    assert not nobody.is_possible
    assert not nobody.is_token("")
    assert session(authorization="Bearer ", admin=nobody) is None
    assert nobody.text("x") is None


def test_words_of_any_script_are_compared_and_refused() -> None:
    assert not ADMIN.is_token("jürgen")
