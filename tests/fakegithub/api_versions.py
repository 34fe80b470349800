"""Versions of the REST API: which one a request selects, and how their bodies differ.

Source: docs.github.com "API Versions" and "Breaking changes". Bodies are made in the older form;
`changed` removes what the newer version does not have.
"""

from collections.abc import Sequence
from typing import Any, Final

OLDER: Final = "2022-11-28"  # also the version of a request that names none
NEWER: Final = "2026-03-10"
ROOT: Final = frozenset(("authorizations_url", "hub_url"))
REPOSITORY: Final = frozenset(("has_downloads", "use_squash_pr_title_as_default", "master_branch"))
GIST: Final = frozenset(("history", "forks", "user"))
ORGANISATION: Final = frozenset(("secret_scanning_push_protection_custom_link_enabled",))


def unsupported(version: str, supported: Sequence[str]) -> dict[str, str]:
    """GitHub's 400 for a version that it does not have; `supported`: the newest first."""
    newest, *others = (f'"{one}"' for one in supported)
    listed = " and ".join([f"{newest} (most recent)", *others])
    return {
        "message": "Bad Request",
        "errors": f'The version you specified in the "X-GitHub-API-Version" request header, '
        f'"{version}", is not a supported version. The following versions are currently '
        f"supported: {listed}.",
        "documentation_url": "https://docs.github.com/rest",
        "status": "400",
    }


def changed(value: Any, version: str) -> Any:
    """A body in the form of a version, at any depth."""
    if version == OLDER:
        return value
    if isinstance(value, list):
        return [changed(item, version) for item in value]
    if isinstance(value, dict):
        gone = removed(value)
        kept = {key: item for key, item in value.items() if key not in gone}
        made = {key: changed(item, version) for key, item in kept.items()}
        return made | {"type": "submodule"} if is_submodule(made) else made
    return value


def removed(value: dict[str, Any]) -> frozenset[str]:
    """The keys of an object that the newer version does not have; the object tells its kind."""
    gone: frozenset[str] = frozenset()
    if "current_user_url" in value and "emojis_url" in value:
        gone |= ROOT
    if "full_name" in value:
        gone |= REPOSITORY
    if "assignees" in value:  # an issue or a pull request
        gone |= {"assignee", "merge_commit_sha"}
    if "git_pull_url" in value:
        gone |= GIST
    if "hooks_url" in value and "login" in value:
        gone |= ORGANISATION
    if "cvss_severities" in value:
        gone |= {"cvss"}
    if "bundle_url" in value:
        gone |= {"bundle"}
    if "resources" in value and "rate" in value:
        gone |= {"rate"}
    return gone


def is_submodule(value: dict[str, Any]) -> bool:
    """Whether an object is a submodule in the listing of a directory."""
    return value.get("type") == "file" and "submodule_git_url" in value
