"""Routes below a repository that its git objects answer: files, commits, branches, tags, refs."""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from tests.fakegithub import content_bodies, forms, git_bodies, git_objects
from tests.fakegithub.git_objects import Commit
from tests.fakegithub.http_messages import decoded
from tests.fakegithub.route_targets import (
    Elsewhere,
    Listing,
    Refusal,
    RenderOther,
    RouteContext,
    RouteTarget,
    Single,
    Unknown,
)
from tests.fakegithub.world import Repository

FULL_SHA: Final = re.compile("[0-9a-f]{40}")
Route = Callable[[RouteContext, Repository, str], RouteTarget]


def listing(repo: Repository, rest: str, items: list[Any], render: Callable[..., Any]) -> Listing:
    """A list of the repository's, each item rendered by `render(base, repo, item)`."""
    paths = f"/repositories/{repo.id}{rest}", f"/repos/{repo.full_name}{rest}"
    return Listing(*paths, items, lambda base, item: render(base, repo, item))


def commits(context: RouteContext, repo: Repository, _value: str) -> RouteTarget:
    """`commits`, newest first, with `sha`, `path`, `since` and `until`."""
    query = context.query
    start = git_objects.resolve(repo, query.get("sha", ""))
    if start is None:
        return Refusal(404, "Not Found")
    found = [git_objects.commit(repo, number) for number in range(start.number, 0, -1)]
    since, until, path = query.get("since", ""), query.get("until", "9"), query.get("path", "")
    shown = [
        one for one in found if since <= one.date <= until and one.file.startswith(path.strip("/"))
    ]
    return listing(repo, "/commits", shown, git_bodies.commit)


def one_commit(_context: RouteContext, repo: Repository, ref: str) -> RouteTarget:
    """`commits/{ref}`, also as diff, patch and sha."""
    one = git_objects.resolve(repo, ref)
    if one is None:
        return unknown(ref, Refusal(422, f"No commit found for SHA: {ref}"))
    media: dict[str, RenderOther] = {
        "diff": lambda _: git_objects.diff(
            [one.file], before=one.number - 1, after=one.number
        ).encode(),
        "patch": lambda _: git_objects.patch(one).encode(),
        "sha": lambda _: one.sha.encode(),
    }
    return Single(lambda base: git_bodies.whole_commit(base, repo, one), one.date, media=media)


def unknown(ref: str, refusal: RouteTarget) -> RouteTarget:
    """The refusal of a name; a full id may be an example's."""
    if FULL_SHA.fullmatch(ref):
        return Unknown()
    return refusal


def compare(_context: RouteContext, repo: Repository, basehead: str) -> RouteTarget:
    """`compare/{base}...{head}`, also as diff and patch; `owner:` before a name is ignored."""
    names = basehead.split("...")
    if len(names) != 2:
        return None
    old, new = (git_objects.resolve(repo, name.rpartition(":")[2]) for name in names)
    if old is None or new is None:
        return None
    pair = names[0], names[1]
    media: dict[str, RenderOther] = {
        "diff": lambda _: span_diff(repo, old, new).encode(),
        "patch": lambda _: span_patch(repo, old, new).encode(),
    }
    return Single(lambda base: git_bodies.comparison(base, repo, pair, (old, new)), media=media)


def span_diff(repo: Repository, old: Commit, new: Commit) -> str:
    """All that changed from one commit to another."""
    numbers = range(old.number + 1, new.number + 1)
    files = sorted({git_objects.commit(repo, number).file for number in numbers})
    return git_objects.diff(files, before=old.number, after=new.number)


def span_patch(repo: Repository, old: Commit, new: Commit) -> str:
    """The commits from one to another as patches."""
    numbers = range(old.number + 1, new.number + 1)
    return "".join(git_objects.patch(git_objects.commit(repo, number)) for number in numbers)


def pull_media(repo: Repository, number: int) -> dict[str, RenderOther]:
    """Diff and patch of a pull request: of one commit."""
    one = git_objects.commit(repo, number % git_objects.newest(repo) + 1)
    before = git_objects.commit(repo, max(1, one.number - 1))
    return {
        "diff": lambda _: span_diff(repo, before, one).encode(),
        "patch": lambda _: git_objects.patch(one).encode(),
    }


def branches(_context: RouteContext, repo: Repository, _value: str) -> RouteTarget:
    """`branches`, by name."""
    return listing(repo, "/branches", list(git_objects.branches(repo)), git_bodies.short_branch)


def one_branch(_context: RouteContext, repo: Repository, name: str) -> RouteTarget:
    """`branches/{branch}`."""
    if name not in git_objects.branches(repo):
        return Refusal(404, "Branch not found")
    return Single(lambda base: git_bodies.branch(base, repo, name))


def tags(_context: RouteContext, repo: Repository, _value: str) -> RouteTarget:
    """`tags`."""
    return listing(repo, "/tags", list(git_objects.tags(repo)), git_bodies.tag)


def refs(repo: Repository) -> list[str]:
    """The names of all refs, without `refs/`."""
    heads = [f"heads/{name}" for name in git_objects.branches(repo)]
    return heads + [f"tags/{name}" for name in sorted(git_objects.tags(repo))]


def one_ref(_context: RouteContext, repo: Repository, name: str) -> RouteTarget:
    """`git/ref/{ref}`; the name is a full one without `refs/`."""
    return Single(lambda base: git_bodies.ref(base, repo, name)) if name in refs(repo) else None


def matching_refs(_context: RouteContext, repo: Repository, start: str) -> RouteTarget:
    """`git/matching-refs/{ref}`: refs whose names begin so."""
    found = [name for name in refs(repo) if name.startswith(start)]
    return Single(lambda base: [git_bodies.ref(base, repo, name) for name in found])


def refs_of_old(context: RouteContext, repo: Repository, start: str) -> RouteTarget:
    """`git/refs` and `git/refs/{ref}`: a ref of that name, else those whose names begin so.

    GitHub documents them no more, but the addresses in bodies of refs lead there.
    """
    found = one_ref(context, repo, start)
    if found is None and any(name.startswith(start) for name in refs(repo)):
        return matching_refs(context, repo, start)
    return found


def git_tree(context: RouteContext, repo: Repository, name: str) -> RouteTarget:
    """`git/trees/{tree_sha}`, by its id, or by a commit's name."""
    entries = git_objects.entries(repo)
    entry = next((one for one in entries.values() if one.kind == "dir" and one.sha == name), None)
    if entry is None and git_objects.resolve(repo, name):
        entry = entries[""]
    if entry is None:
        return unknown(name, None)
    deep = bool(context.query.get("recursive"))
    return Single(lambda base: git_bodies.tree(base, repo, entry, recursive=deep))


def git_blob(_context: RouteContext, repo: Repository, sha: str) -> RouteTarget:
    """`git/blobs/{file_sha}`, also raw."""
    found = git_objects.entries(repo).values()
    entry = next((one for one in found if one.sha == sha and one.kind in ("file", "symlink")), None)
    if entry is None:
        return unknown(sha, None)
    media: dict[str, RenderOther] = {"raw": lambda _: entry.data}
    return Single(lambda base: git_bodies.blob(base, repo, entry), media=media)


def git_commit(_context: RouteContext, repo: Repository, sha: str) -> RouteTarget:
    """`git/commits/{commit_sha}`."""
    one = git_objects.resolve(repo, sha) if FULL_SHA.fullmatch(sha) else None
    if one is None:
        return unknown(sha, None)
    return Single(lambda base: git_bodies.git_commit(base, repo, one))


def archive(context: RouteContext, repo: Repository, value: str) -> RouteTarget:
    """`tarball/{ref}` and `zipball/{ref}`: on another host, with a token for those who have one."""
    kind, _, ref = value.partition("/")
    ref = ref or repo.default_branch
    if git_objects.resolve(repo, ref) is None:
        return None
    name = ref
    if ref in git_objects.branches(repo):
        name = f"refs/heads/{ref}"
    elif ref in git_objects.tags(repo):
        name = f"refs/tags/{ref}"
    suffix = {"tarball": "legacy.tar.gz", "zipball": "legacy.zip"}[kind]
    token = f"?token={forms.clone_token(repo.id)}" if context.viewer.authenticated else ""
    return Elsewhere(f"{context.codeload}/{repo.full_name}/{suffix}/{quote(name)}{token}")


NAME: Final = r"/([^/]+)"
PATH: Final = "/(.+)"
# What lies below a commit or a branch; a name may hold slashes, so it is told apart by its end.
BELOW_COMMIT: Final = "comments|status|statuses|check-runs|check-suites|pulls|branches-where-head"
ROUTES: Final[tuple[tuple[re.Pattern[str], Route], ...]] = tuple(
    (re.compile(pattern), route)
    for pattern, route in (
        ("/contents(?:/(.*))?", content_bodies.contents),
        ("/readme(?:/(.*))?", content_bodies.readme),
        ("/((?:tarball|zipball)(?:/.+)?)", archive),
        ("/commits()", commits),
        (f"/commits/((?!.+/(?:{BELOW_COMMIT})$).+)", one_commit),
        (f"/compare{PATH}", compare),
        ("/branches()", branches),
        ("/branches/((?!.+/(?:protection|rename).*).+)", one_branch),
        ("/tags()", tags),
        (f"/git/ref{PATH}", one_ref),
        ("/git/matching-refs/(.*)", matching_refs),
        ("/git/refs(?:/(.*))?", refs_of_old),
        (f"/git/trees{NAME}", git_tree),
        (f"/git/blobs{NAME}", git_blob),
        (f"/git/commits{NAME}", git_commit),
    )
)


def find(rest: str) -> tuple[Route, str] | None:
    """The route of a path below a repository, and its parameter with its own slashes decoded."""
    for pattern, route in ROUTES:
        if match := pattern.fullmatch(rest):
            return route, decoded(match[1] or "")
    return None
