"""Conditional requests work across a change of the credential."""

from refresher.github.conditional import Identity, Validator

ACCEPT = "application/vnd.github+json"
ME = Identity(ACCEPT, "Bearer ghp_me")
YOU = Identity(ACCEPT, "Bearer ghp_you")
NOBODY = Identity(ACCEPT)


def never() -> bytes:
    """A body that must not be loaded."""
    raise AssertionError("the body was needed")


def test_the_expected_etag_is_githubs_digest() -> None:
    # printf 'application/vnd.github+json:Bearer ghp_me:{}' | sha256sum
    assert ME.expected_etag(b"{}") == (
        'W/"1ab0d66a9a9d851ccf29bff0edacfa9aafba465abd276b41e6120e4e56ac9749"'
    )
    # printf 'application/vnd.github+json:{}' | sha256sum
    assert NOBODY.expected_etag(b"{}") == (
        'W/"7ee6161ef93be216394c9b63533cb4fa9beb55a90b4575252e5e17fac099a1e0"'
    )


def test_the_same_credential_sends_the_stored_etag_and_loads_no_body() -> None:
    assert Validator('W/"x"', ME.fingerprint, never).if_none_match(ME) == 'W/"x"'


def test_another_credential_sends_the_one_it_would_get_too() -> None:
    validator = Validator('W/"x"', ME.fingerprint, lambda: b"{}")
    assert validator.if_none_match(YOU) == f'W/"x", {YOU.expected_etag(b"{}")}'


def test_what_has_no_etag_is_asked_for_by_the_expected_one() -> None:
    assert Validator(None, "", lambda: b"[]").if_none_match(ME) == ME.expected_etag(b"[]")


def test_an_identity_does_not_show_its_secret() -> None:
    assert "ghp_me" not in repr(ME)
    assert ME.fingerprint not in {YOU.fingerprint, NOBODY.fingerprint}
