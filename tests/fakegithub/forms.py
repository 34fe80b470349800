"""The forms of a body: as an anonymous client sees it, and what a credential adds to it.

An object is recognised by its keys: a repository has `full_name`, a user or an organisation
`login`, a release `tag_name`. `trimmed` makes an example public; `seen` adds what a viewer may see,
at any depth, and nothing without a credential; `hidden` makes an item that only some viewers see.
Sources: GitHub's description of each operation, and the recorded responses to an owner.
"""

import hashlib
import re
from typing import Any, Final

from tests.fakegithub.viewers import Viewer

UNDOCUMENTED: Final = "x_internal_note"  # a key of no description: GitHub adds such at any time
MERGE_SETTINGS: Final = {
    "allow_squash_merge": True,
    "allow_merge_commit": True,
    "allow_rebase_merge": True,
    "allow_auto_merge": False,
    "delete_branch_on_merge": False,
    "allow_update_branch": False,
    "use_squash_pr_title_as_default": False,
    "squash_merge_commit_message": "COMMIT_MESSAGES",
    "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
    "merge_commit_message": "PR_TITLE",
    "merge_commit_title": "MERGE_MESSAGE",
}
SECURITY: Final = {
    "secret_scanning": {"status": "enabled"},
    "secret_scanning_push_protection": {"status": "disabled"},
    "dependabot_security_updates": {"status": "enabled"},
}
POLICIES: Final = {
    "default_repository_permission": "read",
    "members_can_create_repositories": True,
    "two_factor_requirement_enabled": True,
    "members_allowed_repository_creation_type": "all",
    "members_can_create_public_repositories": True,
    "members_can_create_private_repositories": True,
    "members_can_create_internal_repositories": False,
    "members_can_create_pages": True,
    "members_can_fork_private_repositories": False,
    "members_can_create_public_pages": True,
    "members_can_create_private_pages": True,
    "members_can_delete_repositories": True,
    "members_can_change_repo_visibility": True,
    "members_can_invite_outside_collaborators": True,
    "members_can_delete_issues": False,
    "members_can_create_teams": True,
    "web_commit_signoff_required": False,
}
PLAN: Final = {"name": "team", "space": 976_562_499, "private_repos": 999_999}
HOLDINGS: Final = {
    "total_private_repos": 3,
    "owned_private_repos": 3,
    "private_gists": 2,
    "disk_usage": 65_536,
    "collaborators": 4,
}


REPOSITORY_OWN: Final = frozenset(
    (*MERGE_SETTINGS, "permissions", "role_name", "security_and_analysis", "master_branch")
)
ACCOUNT_OWN: Final = frozenset(
    (*HOLDINGS, *POLICIES, "billing_email", "plan", "notification_email", "business_plus")
) | {"two_factor_authentication", "ldap_dn"}
ACCOUNT_OWN_PATTERN: Final = re.compile(
    "members_(?!url).*|.*_enabled_for_new_repositories|.*_enabled_for_repositories|readers_can_.*|"
    "default_repository_.*|secret_scanning_.*|advanced_security_.*|display_commenter_.*"
)
OWNERS_ANYWHERE: Final = frozenset(
    ("bypass_actors", "current_user_can_bypass", "client_secret", "webhook_secret", "pem")
)
CALLERS_ANYWHERE: Final = re.compile(
    "current_user_(public|actor|organization)?_?urls?|current_user"
)
HIDDEN_NAME: Final = "octocat/hidden"
HIDDEN: Final = {
    "title": "A private matter",
    "summary": "A private matter",
    "public": False,
    "repository_url": f"https://api.github.com/repos/{HIDDEN_NAME}",
    "commit_url": f"https://api.github.com/repos/{HIDDEN_NAME}/commits/{'a' * 40}",
}


def trimmed(value: Any, viewer: Viewer) -> Any:
    """The public form of an example: without what `seen` can add, and nothing private.

    Keys that only some objects have for owners, or for any credential, stay for these viewers.
    """
    if isinstance(value, list):
        return [trimmed(item, viewer) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: trimmed(item, viewer) for key, item in value.items() if is_shown(key, viewer)}
    if is_repository(made):
        made = {key: item for key, item in made.items() if key not in REPOSITORY_OWN}
        if not viewer.authenticated:  # most of the forms in which it stands are closed to null
            made.pop("temp_clone_token", None)
        public = {"private": False, "visibility": "public", "temp_clone_token": None}
    elif is_organisation(made) or is_user(made):
        made = {key: item for key, item in made.items() if not is_account_own(key)}
        public = {"user_view_type": "public"}
        public |= {} if is_organisation(made) or made.get("type") != "User" else {"email": None}
    elif is_release(made):
        public = {"draft": False}
    elif "actor" in made and "repo" in made:  # an event
        public = {"public": True}
    else:
        public = {}
    return made | {key: item for key, item in public.items() if key in made}


def is_shown(key: str, viewer: Viewer) -> bool:
    """Whether a viewer sees a key that no object shows to everybody."""
    if key in OWNERS_ANYWHERE:
        return viewer.owns
    return viewer.authenticated or CALLERS_ANYWHERE.fullmatch(key) is None


def hidden(item: Any) -> Any:
    """A public item of a list, changed into one about something private."""
    if not isinstance(item, dict):
        return item
    made = {key: hidden_part(key, value) for key, value in item.items()}
    made |= {key: value for key, value in HIDDEN.items() if key in made}
    if isinstance(made.get("id"), int):
        made["id"] += 1_000_000
    if is_repository(made):
        made |= {"name": "hidden", "full_name": HIDDEN_NAME, "private": True}
        made["visibility"] = "private"
    if "event" in made and "source" not in made:
        repository = {"id": 1_296_270, "full_name": HIDDEN_NAME, "private": True}
        source = {"number": 1, "title": HIDDEN["title"], "repository": repository}
        made |= {"event": "cross-referenced", "source": {"type": "issue", "issue": source}}
    if "ghsa_id" in made:
        made |= {"state": "draft", "published_at": None}
    return made


def hidden_part(key: str, value: Any) -> Any:
    """A part of an item, hidden as well if it names the item's repository or source."""
    if key == "repo" and isinstance(value, dict) and "/" in str(value.get("name")):
        return value | {"name": HIDDEN_NAME, "url": HIDDEN["repository_url"]}
    return hidden(value) if key in ("repository", "repo", "source", "issue") else value


def is_account_own(key: str) -> bool:
    """Whether only an account's own people see this key of a user or an organisation."""
    return key in ACCOUNT_OWN or ACCOUNT_OWN_PATTERN.fullmatch(key) is not None


def seen(value: Any, viewer: Viewer) -> Any:
    """A public body as a viewer sees it; items are neither added nor taken away."""
    if not viewer.authenticated:
        return value
    if isinstance(value, list):
        return [seen(item, viewer) for item in value]
    if isinstance(value, dict):
        return widened({key: seen(item, viewer) for key, item in value.items()}, viewer)
    return value


def widened(value: dict[str, Any], viewer: Viewer) -> dict[str, Any]:
    """An object whose members are widened already, with the keys that a credential adds."""
    if is_repository(value):
        return repository(value, viewer)
    if is_organisation(value):
        return organisation(value, viewer)
    if is_user(value):
        return user(value, viewer)
    if is_release(value) and viewer.owns:
        return value | {UNDOCUMENTED: "release"}
    return value


def is_repository(value: dict[str, Any]) -> bool:
    """Whether an object is a repository in any of its forms."""
    return isinstance(value.get("full_name"), str) and "/" in value["full_name"]


def is_organisation(value: dict[str, Any]) -> bool:
    """Whether an object is an organisation, in the form that has its own addresses."""
    return isinstance(value.get("login"), str) and "hooks_url" in value


def is_user(value: dict[str, Any]) -> bool:
    """Whether an object is a user, or an organisation in the form of a user."""
    return isinstance(value.get("login"), str) and "hooks_url" not in value


def is_release(value: dict[str, Any]) -> bool:
    """Whether an object is a release."""
    return "tag_name" in value


def repository(body: dict[str, Any], viewer: Viewer) -> dict[str, Any]:
    """What a repository's object has for those with a credential, in GitHub's order."""
    number = int(body.get("id") or 0)
    push = viewer.may_push(number)
    admin = viewer.role == "owner"
    own: dict[str, Any] = {
        "permissions": {
            "admin": admin,
            "maintain": admin,
            "push": push,
            "triage": push,
            "pull": True,
        }
    }
    if "temp_clone_token" in body:
        own["temp_clone_token"] = clone_token(number) if admin else ""
        own |= MERGE_SETTINGS if push else {}
    made: dict[str, Any] = {}
    for key, value in body.items():
        if key == "temp_clone_token":
            made |= own
        else:
            made[key] = value
    made |= own
    if viewer.owns:
        made |= {"security_and_analysis": SECURITY, UNDOCUMENTED: "repository"}
    return made


def clone_token(number: int) -> str:
    """A text like the token that GitHub gives to those who may push."""
    return hashlib.sha256(b"clone %d" % number).hexdigest()[:29].upper()


def organisation(body: dict[str, Any], viewer: Viewer) -> dict[str, Any]:
    """What an organisation's object has for its members and for its owners."""
    made = dict(body)
    if "public_repos" in body and viewer.insider:
        if viewer.owns:
            made |= {key: body.get(key, value) for key, value in HOLDINGS.items()}
            made["billing_email"] = f"billing@{body['login'].lower()}.example.com"
        made |= POLICIES
        if viewer.owns:
            made["plan"] = PLAN | {"filled_seats": 4, "seats": 5}
    if viewer.owns:
        made[UNDOCUMENTED] = "organisation"
    return made


def user(body: dict[str, Any], viewer: Viewer) -> dict[str, Any]:
    """What a user's object has for those with a credential, and for the user."""
    made = dict(body)
    person = body.get("type") == "User"
    if person and "email" in body:
        made["email"] = body["email"] or f"{body['login'].lower()}@people.example.com"
    if person and "public_repos" in body and body["login"] == viewer.login:
        return own_user(made)
    # GitHub's description closes the form of a whole user to further keys.
    if viewer.owns and "public_repos" not in body:
        made[UNDOCUMENTED] = "user"
    return made


def own_user(body: dict[str, Any]) -> dict[str, Any]:
    """A user's own view of the user's account (schema `private-user`)."""
    own = {"user_view_type": "private", "notification_email": body["email"], **HOLDINGS}
    own |= {"two_factor_authentication": True, "plan": {**PLAN, "collaborators": 0}}
    return body | own | {UNDOCUMENTED: "user"}
