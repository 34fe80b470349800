"""Proofs of an operator: the token, and a session's CSRF token beside its cookie."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from reader.status.admin import Admin
from reader.status.guesses import Guesses
from reader.status.sessions import Session
from tests.builders import absent_redis

TOKEN = "an-admin-token-of-24-chars"
ADMIN = Admin(SecretStr(TOKEN), Guesses(time.time))


def test_the_token_is_the_token() -> None:
    assert ADMIN.is_enabled
    assert ADMIN.is_token(TOKEN)


@given(st.text(max_size=40))
@pytest.mark.parametrize("wrong", ["", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "jürgen"])
def test_other_texts_are_not_the_token(wrong: str, text: str) -> None:
    assert not ADMIN.is_token(wrong)
    assert not ADMIN.is_token(text)


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        *((f"{scheme} x", "x") for scheme in ("Bearer", "bearer", "BEARER")),
        ("Bearer   x ", "x"),
        ("Bearer ", ""),
        *((other, None) for other in ("", "Bearer", "x", "token x", "Basic eDp5")),
    ],
)
def test_a_token_is_read_from_the_bearer_scheme(authorization: str, token: str | None) -> None:
    assert Admin.bearer(authorization) == token


def test_a_post_with_the_cookie_needs_the_sessions_csrf_token() -> None:
    known = Session("abc")
    assert known.csrf
    assert Admin.passes_csrf_check(known, csrf=known.csrf, fetch_site="same-origin")
    assert Admin.passes_csrf_check(known, csrf=known.csrf, fetch_site="")
    assert not Admin.passes_csrf_check(known, csrf="", fetch_site="same-origin")
    assert not Admin.passes_csrf_check(known, csrf="guessed", fetch_site="same-origin")
    for site in ("cross-site", "same-site", "none"):
        assert not Admin.passes_csrf_check(known, csrf=known.csrf, fetch_site=site)


def test_a_program_that_sends_the_token_needs_no_csrf_token() -> None:
    assert Admin.passes_csrf_check(Session(), csrf="", fetch_site="")


def test_without_an_admin_token_no_token_is_accepted() -> None:
    nobody = Admin(None, Guesses(time.time))
    assert not nobody.is_enabled
    assert not nobody.is_token("")
    assert nobody.sessions(absent_redis()) is None
