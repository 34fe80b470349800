"""What makes a request conditional: the stored ETag, and the one that this credential would get.

GitHub's ETags depend on the request: they were observed to be the SHA-256 of the values of
`Accept`, `Authorization` and `Cookie`, as far as present, each followed by a colon, and then of the
body before compression or pretty-printing (github-conditional-http-transport found and documents
it). So another credential makes a stored ETag useless for content that did not change. Unofficial:
the computed one stands beside the stored one; should GitHub change its ways, a page is downloaded
once more, and that is all.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Identity:
    """What of a request goes into GitHub's ETags.

    Args:
        accept: value of `Accept`.
        authorization: value of `Authorization`; None where there is none. A secret.
    """

    accept: str
    authorization: str | None = None

    def __repr__(self) -> str:
        return f"Identity({self.fingerprint})"

    @cached_property
    def fingerprint(self) -> str:
        """Tells identities apart without giving the secret away."""
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
    """What is known of a page, for asking whether it changed.

    Args:
        etag: as GitHub sent it; None where it sent none.
        given_to: fingerprint of the identity it was sent to.
        body: gives the body that it was sent with; called only when it is needed.
    """

    etag: str | None
    given_to: str
    body: Callable[[], bytes]

    def if_none_match(self, identity: Identity) -> str:
        """The value of `If-None-Match` for a request of this identity (RFC 9110 13.1.2)."""
        if self.etag is not None and self.given_to == identity.fingerprint:
            return self.etag
        expected = identity.expected_etag(self.body())
        return expected if self.etag in {None, expected} else f"{self.etag}, {expected}"
