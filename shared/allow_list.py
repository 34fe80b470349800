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
        *("immutable-releases", "import", "insights", "installation", "installations"),
        *("interaction-limits", "invitations", "issue-types", "memberships", "migrations"),
        *("network-configurations", "notifications", "organization-fine-grained-permissions"),
        *("organization-roles", "outside_collaborators", "packages", "private-registries"),
        *("personal-access-token-requests", "personal-access-tokens"),
        *("private-vulnerability-reporting", "projects", "projectsv2", "properties"),
        *("rulesets", "secret-scanning", "security-advisories", "security-managers"),
        *("settings", "subscription", "tarball", "team", "team-sync", "teams", "traffic"),
        *("vulnerability-alerts", "zipball"),
    ]
)
# The same, where it is one kind of thing only: a user's keys are public, a repository's deploy
# keys are its administrators'; an organisation's `issues` are those of the token's own user.
_PRIVILEGED_OF = {
    "users": frozenset[str](),
    "orgs": frozenset({"keys", "issues"}),
    "repos": frozenset({"keys"}),
}
# How deep a path may go below these: what lies deeper is privileged.
_DEPTHS = {("orgs", "members"): 2}
# Privileged wherever it stands below these: branch and tag protection.
_PROTECTED = frozenset({"branches", "tags"})
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
    kind, first = segments[0], below[0]
    if first in _PRIVILEGED or first in _PRIVILEGED_OF[kind]:
        return False
    if kind == "users" and first in _FEEDS:
        return below[-1] == "public"
    if first in _PROTECTED and "protection" in below:
        return False
    return len(below) <= _DEPTHS.get((kind, first), len(below))


def is_allowed_query(query: str) -> bool:
    """Whether a query neither holds a secret nor asks for what only owners may see.

    GitHub once took credentials in the URL; they are never to be stored. `filter=2fa_disabled`
    lists an organisation's members without two-factor authentication, for its owners.
    """
    pairs = [(name.lower(), value) for name, value in parse_qsl(query, keep_blank_values=True)]
    return not any(
        name in _SECRET_PARAMETERS or (name == "filter" and value.lower().startswith("2fa_"))
        for name, value in pairs
    )
