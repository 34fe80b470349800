"""Recognises answers that refuse one credential, and not the request. Pure.

GitHub has no status for this: it says 403, as for much else, and only header and words tell. Each
rule names an answer that was seen; what no rule recognises is an answer about the resource.
"""

import re
from collections.abc import Mapping
from enum import Enum, auto

# "required; url=...": https://docs.github.com/rest/authentication/authenticating-to-the-rest-api
_SSO = "X-GitHub-SSO"
_BY_OWNER = re.compile(
    # SAML single sign-on, which a token has to be authorised for.
    r"organization SAML enforcement"
    # IP allow lists, and organisations that restrict OAuth apps.
    r"|appear to have the correct authorization credentials"
    # Organisations that refuse a kind of token, or one that lives too long.
    r"|forbids access via a "
)
_BY_OPERATION = re.compile(
    r"Resource not accessible by (integration|personal access token)"
    r"|Resource not accessible with your "
)
_EVERYWHERE = re.compile(r"installation has been suspended|account was suspended", re.IGNORECASE)


class Scope(Enum):
    """How far a refusal of a credential reaches."""

    EVERYWHERE = auto()
    OWNER = auto()  # everything of one organisation or user
    OPERATION = auto()  # one kind of request for one owner: a permission is missing


def scope_of_403(headers: Mapping[str, str], message: str) -> Scope | None:
    """How far a 403 refuses the credential; None if it is about the resource.

    Args:
        headers: of the response; names ignore case.
        message: GitHub's, see `body.message_in`.
    """
    if _EVERYWHERE.search(message):
        return Scope.EVERYWHERE
    if headers.get(_SSO, "").startswith("required") or _BY_OWNER.search(message):
        return Scope.OWNER
    return Scope.OPERATION if _BY_OPERATION.search(message) else None
