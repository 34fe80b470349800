"""Which requests may bring a body, and what they must show before it is read.

All other requests are served as if they had no body. Here credentials are only checked for their
form and never compared with a secret: whether a body is read would reveal a right guess.
"""

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from reader.status.actions import Action
from reader.status.admin import COOKIE
from reader.webhooks.receiver import MAX_BYTES, Delivery, Signature
from shared.settings import Settings

WEBHOOK = "/webhooks/github"
_SIGN_IN = "/status/sign-in"
_FORMS = frozenset({_SIGN_IN, "/status/sign-out", *(f"/status/{name}" for name in Action)})
POSTED_TO = frozenset({WEBHOOK, *_FORMS})
# The longest form names a resource of up to 1,024 bytes, each of which takes three in a form.
FORM_MAX_BYTES = 8 * 1024
# The media types of forms that Werkzeug reads.
_FORM_TYPE = re.compile(r"(?:application/x-www-form-urlencoded|multipart/form-data)\s*(?:;|$)")


class Wanted(NamedTuple):
    """A body that is to be read.

    Args:
        limit: of its size in bytes.
        signature: that it has to match; None if it needs none.
    """

    limit: int
    signature: Signature | None = None


def may_bring_a_body(method: str, target: str) -> bool:
    """Whether a request may bring a body that is read; its target may be a whole URL."""
    path = unquote(target.partition("?")[0])
    return method == "POST" and path.endswith(tuple(POSTED_TO))


def wanted(path: str, header: Callable[[str], str], settings: Settings) -> Wanted | None:
    """The body to read of a POST request; None if no body is wanted.

    Args:
        path: decoded.
        header: returns the value of a header field, empty if absent.
        settings: of the process.

    Raises:
        Unauthorized: a delivery has no signature.
        BadRequest: a delivery lacks another field.
    """
    if path == WEBHOOK and settings.webhook_secrets:
        delivery = Delivery.of(header)
        return Wanted(MAX_BYTES, Signature(delivery.signature, settings.webhook_secrets))
    if path in _FORMS and settings.admin_token is not None and _is_form(header):
        is_proven = path == _SIGN_IN or _has_proof(header)
        return Wanted(FORM_MAX_BYTES) if is_proven else None
    return None


def _is_form(header: Callable[[str], str]) -> bool:
    return _FORM_TYPE.match(header("Content-Type").lower()) is not None


def _has_proof(header: Callable[[str], str]) -> bool:
    return header("Authorization") != "" or f"{COOKIE}=" in header("Cookie")
