"""Gaps in GitHub's schemas, compared with its responses: free-form data, and missing keys.

A place is the name of a schema (or of an operation, for a body without a named schema) and the path
below it: `minimal-repository.custom_properties`, `repos/list-attestations.attestations[].bundle`.
"""

from typing import Any

_CUSTOM = "an organisation names its own properties"
_SIGSTORE = "a Sigstore bundle, whose format is Sigstore's, not GitHub's"

FREE_FORM: dict[str, str] = {
    "deployment.payload": "its creator chose the payload's keys",
    "full-repository.custom_properties": _CUSTOM,
    "minimal-repository.custom_properties": _CUSTOM,
    "repos/list-attestations.attestations[].bundle.verificationMaterial": _SIGSTORE,
    "repos/list-attestations.attestations[].bundle.dsseEnvelope": _SIGSTORE,
    "orgs/list-attestations.attestations[].bundle.verificationMaterial": _SIGSTORE,
    "orgs/list-attestations.attestations[].bundle.dsseEnvelope": _SIGSTORE,
    "users/list-attestations.attestations[].bundle.verificationMaterial": _SIGSTORE,
    "users/list-attestations.attestations[].bundle.dsseEnvelope": _SIGSTORE,
}
"""Places where everything passes. Anywhere else, an object for which GitHub's description names no
key passes without its keys."""

_SCALAR: dict[str, Any] = {"type": "string"}
_RENDERED = {"body_html": _SCALAR, "body_text": _SCALAR}
_TEMPLATE = {"$ref": "#/components/schemas/nullable-repository"}

EXTRA: dict[str, dict[str, dict[str, Any]]] = {
    # The example of repos/list-activities contains these.
    "activity": {
        "pushed_at": _SCALAR,
        "push_type": _SCALAR,
        "pusher": {"$ref": "#/components/schemas/simple-user"},
    },
    # The example of security-advisories/list-global-advisories contains it.
    "global-advisory": {"id": _SCALAR},
    # The examples of checks/get-suite and of lists of repositories contain these.
    "minimal-repository": {"template_repository": _TEMPLATE},
    "repository": {
        "template_repository": _TEMPLATE,
        "organization": {"$ref": "#/components/schemas/simple-user"},
        "network_count": _SCALAR,
        "subscribers_count": _SCALAR,
    },
    # The media types application/vnd.github.text+json, html+json and full+json add these
    # (docs.github.com/rest/using-the-rest-api/getting-started-with-the-rest-api#media-types).
    "commit-comment": _RENDERED,
    "gist-comment": _RENDERED,
    "pull-request": _RENDERED,
    "pull-request-simple": _RENDERED,
}
"""Place -> the keys that are missing in its schema, and their schemas."""
