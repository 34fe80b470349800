"""GitHub's search over the world: `/search/{repositories,issues,users,commits,topics,labels,code}`.

A query is words and qualifiers (`org:Netflix is:public stars:>5`); an unknown qualifier is
ignored, a word has to occur in the item's text. Everybody finds what is public; a credential also
finds what its viewer sees, unless `is:public` is among the qualifiers. Users and topics are always
public. Sources: docs.github.com "REST API endpoints for search", and GitHub's 422s and 401.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from tests.fakegithub import bodies, git_bodies, git_objects, issues, repo_bodies
from tests.fakegithub.bodies import JsonObject, node_id
from tests.fakegithub.route_targets import Listing, Refusal, RouteContext, RouteTarget
from tests.fakegithub.world import Account, Repository

MOST_RESULTS: Final = 1000
MOST_COMMITS: Final = 3  # of each repository, so that a search of all is small
UNAUTHENTICATED: Final = {
    "message": "Must be authenticated to access the code search API",
    "resource": "Search",
    "field": "q",
    "code": "invalid",
}
UNSEEN: Final = {
    "message": "The listed users and repositories cannot be searched either because the resources "
    "do not exist or you do not have permission to view them.",
    "resource": "Search",
    "field": "q",
    "code": "invalid",
}
COMPARISON: Final = re.compile(r"(>=|<=|>|<)?([0-9]+)")
RANGE: Final = re.compile(r"([0-9]+|\*)\.\.([0-9]+|\*)")


@dataclass(frozen=True)
class Query:
    """A parsed `q`: words in lower case, and qualifiers by their names."""

    words: tuple[str, ...]
    qualifiers: tuple[tuple[str, str], ...]

    def values(self, *names: str) -> list[str]:
        """All values of qualifiers of these names, in lower case."""
        return [value.lower() for name, value in self.qualifiers if name in names]

    @cached_property
    def flags(self) -> frozenset[str]:
        """The values of `is:`, `type:` and `visibility:`."""
        return frozenset(self.values("is", "type", "visibility"))

    def finds(self, *texts: str | None) -> bool:
        """Whether every word occurs in one of the texts."""
        joined = "\n".join(text.lower() for text in texts if text)
        return all(word in joined for word in self.words)

    def admits(self, repo: Repository) -> bool:
        """Whether qualifiers about an item's repository admit this one."""
        owners, names = self.values("org", "user"), self.values("repo")
        if (owners or names) and not (
            repo.owner.login.lower() in owners or repo.full_name.lower() in names
        ):
            return False
        if "public" in self.flags and repo.private:
            return False
        return "private" not in self.flags or repo.private


def parsed(text: str) -> Query:
    """A `q` as GitHub reads it; an unclosed quotation ends with the text."""
    try:
        parts = shlex.split(text)
    except ValueError:
        parts = text.split()
    pairs = [part.partition(":") for part in parts if re.match(r"-?[a-z_-]+:.", part)]
    qualifiers = tuple((name, value) for name, _, value in pairs)
    words = tuple(part.lower() for part in parts if not re.match(r"-?[a-z_-]+:.", part))
    return Query(words, qualifiers)


def within(number: int, condition: str) -> bool:
    """Whether a number fulfils a condition such as `>5`, `<=5`, `3..7`, `5`."""
    if match := RANGE.fullmatch(condition):
        low, high = match.groups()
        return (low == "*" or number >= int(low)) and (high == "*" or number <= int(high))
    if not (match := COMPARISON.fullmatch(condition)):
        return True
    other = int(match[2])
    known = {">": number > other, "<": number < other, ">=": number >= other}
    return (known | {"<=": number <= other}).get(match[1] or "", number == other)


def unseen(context: RouteContext, query: Query) -> bool:
    """Whether owners or repositories are named, and none of them is there for the viewer."""
    owners, names = query.values("org", "user"), query.values("repo")
    known = [bool(context.world.account(owner)) for owner in owners]
    for name in names:
        repo = context.world.repo(*name.partition("/")[::2])
        known.append(repo is not None and context.viewer.sees(repo))
    return bool(known) and not any(known)


def visible(context: RouteContext) -> list[Repository]:
    """Every repository that the viewer sees, in the world's order."""
    accounts = context.world.accounts.values()
    return [repo for owner in accounts for repo in context.viewer.repos_of(owner)]


def repositories(context: RouteContext, query: Query) -> list[Repository]:
    """`/search/repositories`: without forks, unless the query admits them."""
    forks = query.values("fork")
    languages, topics = query.values("language"), query.values("topic")
    found = [
        repo
        for repo in visible(context)
        if query.admits(repo)
        and query.finds(repo.name, repo.description, *repo.topics)
        and (not repo.fork or "true" in forks or "only" in forks)
        and (repo.fork or "only" not in forks)
        and (not languages or (repo.language or "").lower() in languages)
        and all(topic in repo.topics for topic in topics)
        and all(within(repo.stars, one) for one in query.values("stars"))
        and all(str(repo.archived).lower() == one for one in query.values("archived"))
    ]
    keys: dict[str, Callable[[Repository], Any]] = {
        "stars": lambda repo: repo.stars,
        "forks": lambda repo: repo.forks,
        "updated": lambda repo: repo.updated_at,
        "help-wanted-issues": lambda repo: repo.open_issues,
    }
    return ordered(context, found, keys)


def ordered(
    context: RouteContext, found: list[Any], keys: dict[str, Callable[[Any], Any]]
) -> list[Any]:
    """Results as `sort` and `order` say; by default in the world's order (the best match)."""
    key = keys.get(context.query.get("sort", ""))
    if key is None:
        return found
    return sorted(found, key=key, reverse=context.query.get("order", "desc") != "asc")


def found_issues(context: RouteContext, query: Query) -> list[tuple[Repository, int]]:
    """`/search/issues`: open and closed ones; the world's pull requests are not found."""
    if {"pr", "pull-request", "merged"} & query.flags:
        return []
    states = ({"open", "closed"} & query.flags) or set(query.values("state")) or {"open", "closed"}
    pairs = [
        (repo, number)
        for repo in visible(context)
        if query.admits(repo)
        for number in issues.numbers(repo, states)
    ]
    return [(repo, n) for repo, n in pairs if query.finds(issues.title(repo, n), issues.text(n))]


def users(context: RouteContext, query: Query) -> list[Account]:
    """`/search/users`: users and organisations."""
    kinds = {{"org": "organization"}.get(kind, kind) for kind in query.flags}
    known = kinds & {"user", "organization"}
    return [
        account
        for account in context.world.accounts.values()
        if query.finds(account.login, account.name)
        and (not known or account.kind.lower() in known)
        and all(within(account.followers, one) for one in query.values("followers"))
        and all(within(len(account.public_repos()), one) for one in query.values("repos"))
    ]


def commits(context: RouteContext, query: Query) -> list[tuple[Repository, int]]:
    """`/search/commits`: the newest of each default branch."""
    pairs = [
        (repo, git_objects.newest(repo) - place)
        for repo in visible(context)
        if query.admits(repo)
        for place in range(MOST_COMMITS)
    ]
    return [(r, n) for r, n in pairs if query.finds(git_objects.commit(r, n).subject)]


def topics(context: RouteContext, query: Query) -> list[str]:
    """`/search/topics`: the topics of public repositories."""
    repos = [repo for owner in context.world.accounts.values() for repo in owner.public_repos()]
    return sorted({topic for repo in repos for topic in repo.topics if query.finds(topic)})


def labels(context: RouteContext, query: Query) -> RouteTarget | list[tuple[Repository, str]]:
    """`/search/labels`: those of the repository with the id `repository_id`."""
    number = context.query.get("repository_id", "")
    repo = context.world.repos_by_id.get(int(number)) if number.isdecimal() else None
    if repo is None or not context.viewer.sees(repo):
        return invalid("Label", "repository_id")
    return [(repo, name) for name in LABELS if query.finds(name, LABELS[name][1])]


LABELS: Final = {
    "bug": ("d73a4a", "Something isn't working"),
    "documentation": ("0075ca", "Improvements or additions to documentation"),
    "enhancement": ("a2eeef", "New feature or request"),
}


def label(base: str, entry: tuple[Repository, str]) -> JsonObject:
    """A label (schema `label-search-result-item`)."""
    repo, name = entry
    number = repo.id * 10 + list(LABELS).index(name)
    colour, description = LABELS[name]
    return {
        "id": number,
        "node_id": node_id("Label", number),
        "url": f"{base}/repos/{repo.full_name}/labels/{name}",
        "name": name,
        "color": colour,
        "default": True,
        "description": description,
    }


def topic(_base: str, name: str) -> JsonObject:
    """A topic (schema `topic-search-result-item`)."""
    known = {"created_at": "2016-12-08T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"}
    return {
        "name": name,
        "display_name": name.title(),
        "short_description": f"About {name}",
        "description": f"All about {name}",
        "created_by": None,
        "released": None,
        **known,
        "featured": False,
        "curated": True,
    }


def commit(base: str, entry: tuple[Repository, int]) -> JsonObject:
    """A commit (schema `commit-search-result-item`)."""
    repo, number = entry
    body = git_bodies.commit(base, repo, git_objects.commit(repo, number))
    return body | {"repository": repo_bodies.minimal_repository(base, repo)}


def code(base: str, entry: tuple[Repository, str]) -> JsonObject:
    """A file (schema `code-search-result-item`)."""
    repo, path = entry
    one = git_objects.entries(repo)[path]
    url, page = f"{base}/repositories/{repo.id}", f"{bodies.SITE}/{repo.full_name}"
    sha = git_objects.commit_sha(repo, git_objects.newest(repo))
    return {
        "name": one.name,
        "path": path,
        "sha": one.sha,
        "url": f"{url}/contents/{path}?ref={sha}",
        "git_url": f"{url}/git/blobs/{one.sha}",
        "html_url": f"{page}/blob/{sha}/{path}",
        "repository": repo_bodies.minimal_repository(base, repo),
    }


def files(context: RouteContext, query: Query) -> RouteTarget | list[tuple[Repository, str]]:
    """`/search/code`, for those with a credential only."""
    if not context.viewer.authenticated:
        return Refusal(401, "Requires authentication", {"errors": [UNAUTHENTICATED]})
    return [
        (repo, "README.md")
        for repo in visible(context)
        if query.admits(repo)
        and query.finds(git_objects.entries(repo)["README.md"].data.decode(), "readme.md")
    ]


Find = Callable[[RouteContext, Query], "Sequence[Any] | RouteTarget"]
KINDS: Final[dict[str, tuple[Find, Callable[[str, Any], JsonObject]]]] = {
    "repositories": (repositories, repo_bodies.minimal_repository),
    "issues": (found_issues, lambda base, entry: issues.issue(base, *entry)),
    "users": (users, bodies.simple_user),
    "commits": (commits, commit),
    "topics": (topics, topic),
    "labels": (labels, label),
    "code": (files, code),
}


def invalid(resource: str, field: str) -> Refusal:
    """422, a parameter is missing."""
    error = {"resource": resource, "field": field, "code": "missing"}
    return Refusal(422, "Validation Failed", {"errors": [error]})


def search(context: RouteContext, kind: str, _rest: str) -> RouteTarget:
    """One of the searches; results beyond the first 1,000 are refused."""
    if kind not in KINDS:
        return None
    find, render = KINDS[kind]
    text = context.query.get("q", "")
    if not text.strip() and not (kind == "code" and not context.viewer.authenticated):
        return invalid("Search", "q")
    query = parsed(text)
    if unseen(context, query):
        return Refusal(422, "Validation Failed", {"errors": [UNSEEN]})
    found = find(context, query)
    if not isinstance(found, list):
        assert not isinstance(found, Sequence)
        return found
    total = len(found)

    def scored(base: str, item: Any) -> JsonObject:
        return render(base, item) | {"score": 1.0}

    def matched(base: str, item: Any) -> JsonObject:
        return scored(base, item) | {"text_matches": list(matches(render(base, item), text))}

    def around(_base: str, items: list[Any]) -> JsonObject:
        made = {"total_count": total, "incomplete_results": False, "items": items}
        return made | ({"search_type": "lexical"} if kind == "issues" else {})

    path = f"/search/{kind}"
    return Listing(path, path, found, scored, around, {"text-match": matched}, MOST_RESULTS)


def matches(item: JsonObject, text: str) -> Iterator[JsonObject]:
    """Where the words of a query occur in an item (schema `search-result-text-matches`)."""
    for word in parsed(text).words:
        for name in ("name", "title", "description", "login"):
            value = str(item.get(name) or "")
            start = value.lower().find(word)
            if start >= 0:
                end = start + len(word)
                found = {"text": value[start:end], "indices": [start, end]}
                yield {
                    "object_url": item.get("url"),
                    "object_type": None,
                    "property": name,
                    "fragment": value,
                    "matches": [found],
                }
