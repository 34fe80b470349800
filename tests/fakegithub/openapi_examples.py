"""Documented GET operations with a JSON response, from the examples in GitHub's description.

`openapi_examples.json` has one operation a line, made by `make_openapi_examples`; its notice is in
`openapi_schemas.json`. Operations with a route of their own are served by that (see `routes`);
the others are found here, by path, for the repositories, organisations and users of the world.
`forms` makes the forms of an example.
"""

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from tests.fakegithub.http_messages import decoded
from tests.fakegithub.world_factory import WorldOptions, create_world

FILE: Final = Path(__file__).with_name("openapi_examples.json")
REFERENCE: Final = "$shared"
SLASHES: Final = ("path", "dir", "ref")  # parameters of the path that may have several segments
GITHUB: Final = "https://api.github.com"
# Operations whose lists hold one more item for some viewers (see `access`): a private repository,
# an event in one or a reference to one, an unpublished advisory.
MORE_FOR: Final = {
    "activity/list-events-for-authenticated-user": "owners",
    "activity/list-received-events-for-user": "owners",
    "activity/list-repo-events": "writers",
    "activity/list-public-events-for-repo-network": "members",
    "activity/list-repos-starred-by-user": "members",
    "apps/list-repos-accessible-to-installation": "members",
    "gists/list": "caller",
    "issues/list-events": "members",
    "issues/list-events-for-repo": "members",
    "issues/list-events-for-timeline": "members",
    "issues/list-sub-issues": "members",
    "issues/list-dependencies-blocked-by": "members",
    "issues/list-dependencies-blocking": "members",
    "security-advisories/list-repository-advisories": "owners",
}
# Lists that are empty for everybody except their user.
EMPTY_FOR_OTHERS: Final = ("activity/list-repos-watched-by-user",)


# Targets that the world knows, in place of those in the file.
TARGETS: Final = {
    "git/get-ref": "/repos/{org}/{repo}/git/ref/heads/main",
    "search/code": "/search/code?q=org:{org}",
    "search/commits": "/search/commits?q=org:{org}",
    "search/issues-and-pull-requests": "/search/issues?q=org:{org}+is:issue",
    "search/labels": "/search/labels?q=bug&repository_id=1296269",
    "search/repos": "/search/repositories?q=org:{org}",
    "search/topics": "/search/topics?q=a",
    "search/users": "/search/users?q=a",
}
# Operations whose responses are not JSON, served by routes of their own.
BARE: Final = (
    # operation, path template, example of its path
    (
        "issues/check-user-can-be-assigned",
        "/repos/{owner}/{repo}/assignees/{assignee}",
        "/repos/{org}/{repo}/assignees/{user}",
    ),
    (
        "issues/check-user-can-be-assigned-to-issue",
        "/repos/{owner}/{repo}/issues/{issue_number}/assignees/{assignee}",
        "/repos/{org}/{repo}/issues/1/assignees/{user}",
    ),
    ("meta/get-octocat", "/octocat", "/octocat"),
    ("meta/get-zen", "/zen", "/zen"),
    (
        "orgs/check-membership-for-user",
        "/orgs/{org}/members/{username}",
        "/orgs/{org}/members/{user}",
    ),
    (
        "orgs/check-public-membership-for-user",
        "/orgs/{org}/public_members/{username}",
        "/orgs/{org}/public_members/{user}",
    ),
    (
        "pulls/check-if-merged",
        "/repos/{owner}/{repo}/pulls/{pull_number}/merge",
        "/repos/{org}/{repo}/pulls/1/merge",
    ),
    (
        "repos/download-tarball-archive",
        "/repos/{owner}/{repo}/tarball/{ref}",
        "/repos/{org}/{repo}/tarball/main",
    ),
    (
        "repos/download-zipball-archive",
        "/repos/{owner}/{repo}/zipball/{ref}",
        "/repos/{org}/{repo}/zipball/main",
    ),
    (
        "users/check-following-for-user",
        "/users/{username}/following/{target_user}",
        "/users/{user}/following/{org}",
    ),
)


@dataclass(frozen=True)
class Operation:
    """An operation as `openapi_examples.json` has it.

    target: an example of its path; `{org}`, `{repo}`, `{user}`, `{user_id}` stand for the world's.
    integers: the path's parameters that are numbers.
    pages: whether its response has a `Link`.
    who: group of viewers who may request it (see `access`).
    statuses: the refusals that GitHub documents.
    body: the example of a 200.
    """

    id: str
    template: str
    target: str
    integers: tuple[str, ...]
    pages: bool
    who: str
    statuses: tuple[str, ...]
    body: Any

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """A regular expression for decoded paths of this operation, its parameters as groups."""

        def group(match: re.Match[str]) -> str:
            name = match[1]
            value = "[0-9]{1,18}" if name in self.integers else "[^/]+"
            return f"(?P<{name.replace('-', '_')}>{'.+' if name in SLASHES else value})"

        pieces = re.split(r"(\{[^}]+\})", self.template)
        made = [re.sub(r"\{([^}]+)\}", group, p) if p[:1] == "{" else re.escape(p) for p in pieces]
        return re.compile("".join(made))


@cache
def operations() -> tuple[Operation, ...]:
    """All operations, the most literal paths first."""
    shared, *rows = json.loads(FILE.read_text(encoding="utf-8"))

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(item) for item in value]
        if isinstance(value, dict):
            if REFERENCE in value:
                return whole(shared[value[REFERENCE]])
            return {key: whole(item) for key, item in value.items()}
        return value

    made = [
        Operation(
            **row
            | {
                "target": TARGETS.get(row["id"], row["target"]),
                "body": whole(row["body"]),
                "integers": tuple(row["integers"]),
                "statuses": tuple(row["statuses"]),
            }
        )
        for row in rows
    ]
    return tuple(sorted(made, key=lambda one: literal(one.template), reverse=True))


def literal(template: str) -> tuple[int, ...]:
    """A sort key, by segment: 2 for a name, 1 for a parameter, 0 for one of several segments."""
    segments = template.split("/")[1:]
    return tuple(
        2 if "{" not in one else 0 if one.strip("{}") in SLASHES else 1 for one in segments
    )


@cache
def by_head() -> dict[str, list[Operation]]:
    """The operations by the first segment of their path."""
    found: dict[str, list[Operation]] = {}
    for one in operations():
        found.setdefault(one.template.split("/")[1], []).append(one)
    return found


def match(path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation of a path, and the values of its parameters with their slashes decoded."""
    for one in by_head().get(path.split("/")[1], []):
        if found := one.pattern.fullmatch(path):
            return one, {name: decoded(value) for name, value in found.groupdict().items()}
    return None


@cache
def first_user() -> tuple[str, int]:
    """Login and id of the first member of the default world, whatever its size."""
    world = create_world(WorldOptions(repos=1, members=1))
    user = next(account for account in world.accounts.values() if account.kind == "User")
    return user.login, user.id


def operation_targets(
    *, org: str = "Netflix", repo: str = "Hystrix", user: str | None = None
) -> list[tuple[str, str, str]]:
    """All operations that the stand-in serves: operation id, path template, path to request.

    Args:
        org: the organisation, and the owner of the repository.
        repo: a repository of the organisation's.
        user: a user's login; the default exists in every world with the usual seed whose first
            organisation is Netflix and has a member.
    """
    login, number = first_user()
    values = {"org": org, "repo": repo, "user": user or login, "user_id": str(number)}
    examples = [(one.id, one.template, one.target) for one in operations()]
    found = [*examples, *BARE]
    return sorted((name, path, target.format(**values)) for name, path, target in found)
