"""A repository's issues and their comments: bodies, and the lists that query parameters select.

Numbers up to `open_issues` are open; three more, or the first three of a repository without open
ones, are closed. An issue's comments depend on its number.
"""

import re
from collections.abc import Callable, Collection
from datetime import datetime
from itertools import islice
from typing import Any, Final

from tests.fakegithub.bodies import SITE, JsonObject, node_id, simple_user
from tests.fakegithub.body_properties import REFERENCE
from tests.fakegithub.route_targets import Listing, RouteContext, RouteTarget, Single
from tests.fakegithub.world import Account, Repository, iso

MOST_ISSUES: Final = 250  # a few pages are enough to page through, whatever the count says
CLOSED: Final = 3
HOUR: Final = 3600
REACTIONS: Final = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
COMMENT: Final = re.compile(r"/issues/comments/([0-9]{1,18})")


def numbers(repo: Repository, states: Collection[str]) -> list[int]:
    """The numbers of the issues in these states that are listed, newest first."""
    opened = range(repo.open_issues, 0, -1) if "open" in states else range(0)
    last = repo.open_issues + CLOSED
    closed = range(last, repo.open_issues, -1) if "closed" in states else range(0)
    return [*closed, *islice(opened, MOST_ISSUES)]


def exists(repo: Repository, number: int) -> bool:
    """Whether there is an issue of that number."""
    return 0 < number <= repo.open_issues + CLOSED


def title(repo: Repository, number: int) -> str:
    """The title of an issue."""
    return f"Issue {number} of {repo.name}"


def text(number: int) -> str:
    """The Markdown of an issue; it refers to something private."""
    return f"What happens in *case {number}*? See {REFERENCE}."


def updated_at(repo: Repository, number: int) -> str:
    """When an issue was changed: the newest open one with the repository's last push."""
    if number == repo.open_issues:
        return repo.pushed_at
    born = int(datetime.fromisoformat(repo.created_at).timestamp())
    return iso(born + number * HOUR)


def person(repo: Repository, number: int) -> Account:
    """Whoever wrote an issue or a comment: a public member of the owner, or the owner."""
    people = repo.owner.public_members() or [repo.owner]
    return people[number % len(people)]


def comment_count(number: int) -> int:
    """The number of an issue's comments."""
    return number % 7


def reactions(url: str) -> JsonObject:
    """The summary of reactions: none."""
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(REACTIONS, 0)}


def issue(base: str, repo: Repository, number: int) -> JsonObject:
    """An issue; keys and order are those of a recorded one."""
    home = f"{base}/repos/{repo.full_name}"
    url = f"{home}/issues/{number}"
    closed = number > repo.open_issues
    changed = updated_at(repo, number)
    return {
        "url": url,
        "repository_url": home,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{SITE}/{repo.full_name}/issues/{number}",
        "id": repo.id * 1000 + number,
        "node_id": node_id("Issue", repo.id * 1000 + number),
        "number": number,
        "title": title(repo, number),
        "user": simple_user(base, person(repo, number)),
        "labels": [],
        "state": "closed" if closed else "open",
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": comment_count(number),
        "created_at": repo.created_at,
        "updated_at": changed,
        "closed_at": changed if closed else None,
        "author_association": "MEMBER",
        "active_lock_reason": None,
        "body": text(number),
        "reactions": reactions(url),
        "timeline_url": f"{url}/timeline",
        "performed_via_github_app": None,
        "state_reason": "completed" if closed else None,
    }


def whole_issue(base: str, repo: Repository, number: int) -> JsonObject:
    """`issues/{issue_number}`: with whoever closed it."""
    closed = number > repo.open_issues
    closer = simple_user(base, person(repo, number + 1)) if closed else None
    return issue(base, repo, number) | {"closed_by": closer}


def comments(repo: Repository, number: int) -> list[int]:
    """The ids of an issue's comments, oldest first."""
    start = (repo.id * 1000 + number) * 10
    return [start + place for place in range(1, comment_count(number) + 1)]


def comment(base: str, repo: Repository, number: int) -> JsonObject:
    """A comment by its id (schema `issue-comment`)."""
    home, issue_number = f"{base}/repos/{repo.full_name}", number // 10 - repo.id * 1000
    url = f"{home}/issues/comments/{number}"
    page = f"{SITE}/{repo.full_name}/issues/{issue_number}#issuecomment-{number}"
    moment = updated_at(repo, issue_number)
    return {
        "url": url,
        "html_url": page,
        "issue_url": f"{home}/issues/{issue_number}",
        "id": number,
        "node_id": node_id("IssueComment", number),
        "user": simple_user(base, person(repo, number)),
        "created_at": moment,
        "updated_at": moment,
        "body": f"Comment **{number % 10}** on issue {issue_number}",
        "author_association": "MEMBER",
        "reactions": reactions(url),
        "performed_via_github_app": None,
    }


def selected(context: RouteContext, repo: Repository) -> list[int]:
    """The issues that `state`, `since`, `sort` and `direction` select; `labels` and others: none.

    Source: docs.github.com "List repository issues".
    """
    query = context.query
    state = query.get("state", "open")
    states = ("open", "closed") if state == "all" else (state,)
    since = query.get("since", "")
    found = [n for n in numbers(repo, states) if updated_at(repo, n) >= since]
    if query.get("labels") or query.get("milestone", "none") not in ("none", "*"):
        return []
    keys: dict[str, Callable[[int], Any]] = {
        "updated": lambda n: updated_at(repo, n),
        "comments": comment_count,
    }
    key = keys.get(query.get("sort", ""), lambda n: n)
    return sorted(found, key=key, reverse=query.get("direction") != "asc")


def find(context: RouteContext, repo: Repository, rest: str) -> tuple[bool, RouteTarget]:
    """Whether a path below a repository is about issues of the world, and what it leads to."""
    home, name = f"/repositories/{repo.id}{rest}", f"/repos/{repo.full_name}{rest}"

    def listing(items: list[int], render: Callable[[str, Repository, int], JsonObject]) -> Listing:
        return Listing(home, name, items, lambda base, item: render(base, repo, item))

    if rest == "/issues":
        return True, listing(selected(context, repo), issue)
    if match := re.fullmatch(r"/issues/([0-9]{1,9})(/comments)?", rest):
        number = int(match[1])
        if not exists(repo, number):
            return True, None
        if match[2]:
            since = context.query.get("since", "")
            fresh = comments(repo, number) if updated_at(repo, number) >= since else []
            return True, listing(fresh, comment)
        changed = updated_at(repo, number)
        return True, Single(lambda base: whole_issue(base, repo, number), changed)
    if match := COMMENT.fullmatch(rest):
        one, place = int(match[1]), int(match[1]) // 10 - repo.id * 1000
        if exists(repo, place) and one in comments(repo, place):
            return True, Single(lambda base: comment(base, repo, one))
    return False, None
