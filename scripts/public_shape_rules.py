"""Keys of GitHub's schemas that a credential may see and an anonymous client does not.

The tables name schemas and keys as GitHub's OpenAPI description does. A rule for repositories,
accounts or teams applies to every object that looks like one, so that a schema that GitHub adds
later needs no row here.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

Shape: TypeAlias = "str | dict[str, Shape] | list[Shape]"
Keys: TypeAlias = dict[str, Shape]

SCALAR = "-"
ANYTHING = "*"
ALWAYS_NULL = "0"
OTHER_KEYS = "*"
ITEMS = "[]"


@dataclass(frozen=True)
class Rule:
    """Keys that are withheld from every object with certain keys; `*` stands for any text."""

    looks: Callable[[Collection[str]], bool]
    withheld: tuple[str, ...]
    why: str


RULES = (
    Rule(
        lambda _: True,
        (
            "billing_email", "organization_billing_email", "plan", "security_and_analysis",
            "temp_clone_token", "client_secret", "webhook_secret", "pem", "ldap_dn",
            "notification_email", "notification_setting", "two_factor_authentication",
            "current_user_can_*", "viewer_*",
        ),
        "secrets, billing, and data about the caller, in any object",
    ),
    Rule(
        lambda _: True,
        ("issue_field_values",),
        'a field may be visible to "organization_members_only", and its value does not say so',
    ),
    Rule(
        lambda keys: "full_name" in keys,
        (
            "permissions", "role_name", "allow_squash_merge", "allow_merge_commit",
            "allow_rebase_merge", "allow_auto_merge", "allow_update_branch",
            "delete_branch_on_merge", "use_squash_pr_title_as_default",
            "squash_merge_commit_title", "squash_merge_commit_message", "merge_commit_title",
            "merge_commit_message", "master_branch", "anonymous_access_enabled",
            "code_search_index_status",
        ),
        "a repository's settings, which only clients with a role in it see, and the caller's role",
    ),
    Rule(
        lambda keys: "login" in keys,
        (
            "permissions", "role_name", "private_gists", "total_private_repos",
            "owned_private_repos", "disk_usage", "collaborators", "business_plus",
            "suspended_at", "default_repository_*", "members_can_*", "members_allowed_*",
            "readers_can_*", "two_factor_*", "*_enabled", "*_enabled_for_*", "*_custom_link",
            "web_commit_signoff_required",
        ),
        "private counts of a user, policies of an organisation, roles of a collaborator",
    ),
    Rule(
        lambda keys: "slug" in keys and "repositories_url" in keys,
        ("permission", "permissions", "role", "role_name", "access_source"),
        "a team's permissions, and their origin",
    ),
)  # fmt: skip

WITHHELD: dict[str, tuple[tuple[str, ...], str]] = {
    "branch-protection": (
        (
            "url", "enforce_admins", "required_pull_request_reviews", "restrictions",
            "required_linear_history", "allow_force_pushes", "allow_deletions",
            "block_creations", "required_conversation_resolution", "name", "protection_url",
            "required_signatures", "lock_branch", "allow_fork_syncing",
        ),
        "a branch says in public that it is protected and which checks it requires",
    ),
    "protected-branch-required-status-check": (
        ("url", "contexts_url", "strict"),
        "shown with a branch's protection, which needs a role in the repository",
    ),
    "branch-with-protection": (
        ("pattern", "required_approving_review_count"),
        "rules of the branch's protection",
    ),
    "short-branch": (
        ("protection", "protection_url"),
        "in a list of branches, only clients that may push see them",
    ),
    "repository-ruleset": (
        ("bypass_actors",),
        "only clients that may edit the ruleset see them",
    ),
    "feed": (
        ("current_user_*",),
        "GitHub lists the caller's own feeds to an authenticated caller only",
    ),
    "feed._links": (
        ("current_user*",),
        "GitHub lists the caller's own feeds to an authenticated caller only",
    ),
    "integration": (
        ("installations_count",),
        'GitHub: "Only returned when the integration is requesting details about itself"',
    ),
}  # fmt: skip

# Keys that stay, but whose value becomes null: schema -> keys, and why.
NULLED: dict[str, tuple[tuple[str, ...], str]] = {
    "repository-advisory": (
        ("private_fork", "collaborating_users", "collaborating_teams", "submission"),
        "an advisory's collaborators see them; a published one has null there",
    ),
}

ORGANISATIONS = ("organization-full", "team-organization")
# All keys that an anonymous client sees of an organisation; keys that GitHub adds are withheld.
ORGANISATION_KEYS = {
    "login", "id", "node_id", "url", "repos_url", "events_url", "hooks_url", "issues_url",
    "members_url", "public_members_url", "avatar_url", "description", "name", "company", "blog",
    "location", "email", "twitter_username", "is_verified", "has_organization_projects",
    "has_repository_projects", "public_repos", "public_gists", "followers", "following",
    "html_url", "created_at", "updated_at", "archived_at", "type",
}  # fmt: skip

# Schemas whose `email` stays. For all others, GitHub says in users/get-by-username: "You only
# see publicly visible email addresses when authenticated with GitHub".
EMAIL_IS_PUBLIC = {
    "organization-full": "an organisation's public address is visible to everybody",
    "team-organization": "the same",
    "contributor": "of contributors without an account, the address in their commits",
}

# Schemas replaced by another; the first is what users see of themselves.
INSTEAD: dict[str, str] = {"private-user": "public-user"}


def public(keys: Keys, schema: str) -> Keys:
    """The keys of an object of this schema (or place), without those that are withheld."""
    withheld, _ = WITHHELD.get(schema, ((), ""))
    nulled, _ = NULLED.get(schema, ((), ""))
    patterns = [*withheld, *(key for rule in RULES if rule.looks(keys) for key in rule.withheld)]
    kept: Keys = {}
    for key, shape in keys.items():
        if any(fnmatchcase(key, pattern) for pattern in patterns):
            continue
        if schema in ORGANISATIONS and key not in ORGANISATION_KEYS:
            continue
        hidden = key in nulled or (key == "email" and _hides_email(keys, schema))
        kept[key] = ALWAYS_NULL if hidden else shape
    return kept


def withheld_names() -> list[str]:
    """All keys that are withheld somewhere, except those with another meaning elsewhere."""
    by_rule = {key for rule in RULES for key in rule.withheld}
    by_schema = {key for keys, _ in WITHHELD.values() for key in keys}
    return sorted((by_rule | by_schema) - {"name", "url", "pattern", "strict"})


def _hides_email(keys: Collection[str], schema: str) -> bool:
    return "login" in keys and schema not in EMAIL_IS_PUBLIC
