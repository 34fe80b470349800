"""Which paths of GitHub may be had on demand: public data below /users, /orgs and /repos.

The refreshers' token may see more than the public does. What only a privileged token may read,
and what shows whose token it is, is refused by its place in the path, whatever the token is:
https://docs.github.com/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl

# How many segments name the thing itself: /users/{username}, /repos/{owner}/{repo}.
_ROOTS = {"users": 2, "orgs": 2, "repos": 3}

# The first segment below the thing. In lower case, since GitHub's routes ignore case.
_PRIVILEGED = frozenset(
    [
        *("actions", "attestations", "audit-log", "autolinks", "automated-security-fixes"),
        *("blocks", "campaigns", "code-scanning", "code-security", "codespaces"),
        *("collaborators", "copilot", "credential-authorizations", "custom-repository-roles"),
        *("dependabot", "dependency-graph", "docker", "environments"),
        *("external-group", "external-groups", "failed_invitations", "hooks"),
        *("immutable-releases", "insights", "installation", "installations"),
        *("interaction-limits", "invitations", "issue-types", "memberships", "migrations"),
        *("network-configurations", "organization-fine-grained-permissions"),
        *("organization-roles", "outside_collaborators", "packages", "private-registries"),
        *("personal-access-token-requests", "personal-access-tokens"),
        *("private-vulnerability-reporting", "projects", "projectsv2", "properties"),
        *("rulesets", "secret-scanning", "security-advisories", "security-managers"),
        *("settings", "subscription", "tarball", "team", "team-sync", "teams", "traffic"),
        *("vulnerability-alerts", "zipball"),
    ]
)
# A user's keys are public; a repository's deploy keys are its administrators'.
_PRIVILEGED_BUT_FOR_USERS = frozenset({"keys"})
# A user's own feeds hold private events when the token is that user's; `/public` never does.
_FEEDS = frozenset({"events", "received_events"})
_SECRET_PARAMETERS = frozenset({"access_token", "client_id", "client_secret", "token"})


def is_allowed(segments: Sequence[str]) -> bool:
    """Whether the path of these segments may be fetched for anyone who asks."""
    length = _ROOTS.get(segments[0]) if segments else None
    if length is None or len(segments) < length:
        return False
    below = [segment.lower() for segment in segments[length:]]
    if not below:
        return True
    if segments[0] == "users":
        is_feed = below[0] in _FEEDS and below[-1] != "public"
        return below[0] not in _PRIVILEGED and not is_feed
    return below[0] not in _PRIVILEGED | _PRIVILEGED_BUT_FOR_USERS


def holds_credentials(query: str) -> bool:
    """Whether a client put a secret into the URL, as GitHub once allowed; never to be stored."""
    return any(
        name.lower() in _SECRET_PARAMETERS for name, _ in parse_qsl(query, keep_blank_values=True)
    )
