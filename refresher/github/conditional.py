"""Conditional requests: the stored ETag, and the ETag that another credential would get.

GitHub's ETags depend on the request: they were observed to be the SHA-256 of the values of
`Accept`, `Authorization` and `Cookie`, as far as present, each followed by a colon, and then of the
body before compression or pretty-printing (github-conditional-http-transport found and documents
it). So a stored ETag is useless for a request with another credential, even if the content is the
same. The ETag for that credential is therefore computed. This rule is unofficial, so the computed
ETag is sent in addition to the stored one. If GitHub changes the rule, a page is downloaded once
more than necessary; nothing else happens.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Identity:
    """The parts of a request that GitHub's ETags depend on.

    Args:
        accept: value of `Accept`.
        authorization: value of `Authorization`, a secret; None if the field is not sent.
    """

    accept: str
    authorization: str | None = None

    def __repr__(self) -> str:
        return f"Identity({self.fingerprint})"

    @cached_property
    def fingerprint(self) -> str:
        """A digest that distinguishes identities without revealing the secret."""
        return hashlib.sha256(self._prefix + b"fingerprint").hexdigest()[:16]

    def expected_etag(self, body: bytes) -> str:
        """The weak ETag that GitHub is expected to give this identity for a body."""
        return f'W/"{hashlib.sha256(self._prefix + body).hexdigest()}"'

    @property
    def _prefix(self) -> bytes:
        values = [self.accept, self.authorization]
        return b"".join(value.encode() + b":" for value in values if value is not None)


@dataclass(frozen=True)
class Validator:
    """The validator of a stored page (RFC 9110 section 8.8).

    Args:
        etag: as GitHub sent it; None if it sent none.
        given_to: fingerprint of the identity that it was sent to.
        body: returns the body that it was sent with; called only when needed.
    """

    etag: str | None
    given_to: str
    body: Callable[[], bytes]

    def if_none_match(self, identity: Identity) -> str:
        """The value of `If-None-Match` for a request of this identity (RFC 9110 section 13.1.2)."""
        if self.etag is not None and self.given_to == identity.fingerprint:
            return self.etag
        expected = identity.expected_etag(self.body())
        return expected if self.etag in {None, expected} else f"{self.etag}, {expected}"
