"""What GitHub answers when it refuses, or is not ready: the responses of `faults.ANSWERS`.

The words are GitHub's own, as its users report them. Each is metered and has the usual headers of
the limit, with requests left: no client may take one for a limit.
"""

from collections.abc import Callable
from typing import Final

from tests.fakegithub.api_responses import DOCS, ApiResponse, error, moved
from tests.fakegithub.faults import Fault
from tests.fakegithub.http_messages import compact_json

TOO_LARGE: Final = (
    "The history or contributor list is too large to list contributors for this repository via "
    "the API."
)
CONTRIBUTORS_DOCS: Final = f"{DOCS}/repos/repos#list-repository-contributors"
SAML: Final = (
    "Resource protected by organization SAML enforcement. You must grant your Personal Access "
    "token access to this organization."
)
SAML_DOCS: Final = (
    "https://docs.github.com/articles/authenticating-to-a-github-organization-with-saml-single-"
    "sign-on/"
)
SSO_URL: Final = "https://github.com/orgs/Netflix/sso?authorization_request=A1B2C3"
NOT_ACCESSIBLE: Final = "Resource not accessible by integration"
BLOCKED_SINCE: Final = "2019-11-01T12:00:00Z"


def answer(fault: Fault, *, peer: str) -> ApiResponse | None:
    """The response that a fault of `faults.ANSWERS` puts in place of any; None if it has none."""
    make = MAKE.get(fault.kind)
    return make(fault, peer) if make else None


def accepted(fault: Fault, _peer: str) -> ApiResponse:
    """202, GitHub still computes the answer."""
    return ApiResponse(202, b"{}" if fault.body is None else fault.body.encode())


def blocked(fault: Fault, _peer: str) -> ApiResponse:
    """451, for a repository and everything below it."""
    page = f"https://github.com/github/{fault.reason}/blob/master/2019/11/2019-11-01-example.md"
    body = {
        "message": "Repository access blocked",
        "block": {"reason": fault.reason, "created_at": BLOCKED_SINCE, "html_url": page},
    }
    return ApiResponse(451, compact_json(body))


def saml(fault: Fault, _peer: str) -> ApiResponse:
    """403, the token has no session of the organisation's single sign-on."""
    refused = error(403, SAML, SAML_DOCS)
    url = SSO_URL if fault.url == Fault.url else fault.url
    return ApiResponse(403, refused.body, headers={"X-GitHub-SSO": f"required; url={url}"})


def ip_allow_list(_fault: Fault, peer: str) -> ApiResponse:
    """403, the organisation does not admit the address that the credential comes from."""
    return error(
        403,
        "Although you appear to have the correct authorization credentials, the `Netflix` "
        f"organization has an IP allow list enabled, and {peer} is not permitted to access this "
        "resource.",
    )


MAKE: Final[dict[str, Callable[[Fault, str], ApiResponse]]] = {
    "accepted": accepted,
    "too_large": lambda fault, _: error(403, fault.message or TOO_LARGE, CONTRIBUTORS_DOCS),
    "blocked": blocked,
    "saml": saml,
    "ip_allow_list": ip_allow_list,
    "not_accessible": lambda fault, _: error(403, fault.message or NOT_ACCESSIBLE),
    "redirect": lambda fault, _: moved(fault.status or 301, fault.url),
}
