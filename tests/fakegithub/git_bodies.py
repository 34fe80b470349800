"""GitHub's JSON objects of commits, branches, tags, refs, trees and blobs; see `bodies`."""

from urllib.parse import quote

from tests.fakegithub import git_objects
from tests.fakegithub.bodies import SITE, JsonObject, node_id, simple_user
from tests.fakegithub.content_bodies import wrapped
from tests.fakegithub.git_objects import Commit, Entry
from tests.fakegithub.world import Account, Repository

UNSIGNED = {
    "verified": False,
    "reason": "unsigned",
    "signature": None,
    "payload": None,
    "verified_at": None,
}


def home(base: str, repo: Repository) -> str:
    """The address of a repository."""
    return f"{base}/repos/{repo.full_name}"


def author(repo: Repository, number: int) -> Account:
    """The author of a commit or of an issue: a public member of the owner, or the owner."""
    people = repo.owner.public_members() or [repo.owner]
    return people[number % len(people)]


def git_commit(base: str, repo: Repository, one: Commit) -> JsonObject:
    """`git/commits/{sha}` (schema `git-commit`)."""
    url, root = home(base, repo), git_objects.entries(repo)[""]
    return {
        "sha": one.sha,
        "node_id": node_id("Commit", one.number),
        "url": f"{url}/git/commits/{one.sha}",
        "html_url": f"{SITE}/{repo.full_name}/commit/{one.sha}",
        **signed(repo, one),
        "tree": {"sha": root.sha, "url": f"{url}/git/trees/{root.sha}"},
        "parents": parents(f"{url}/git/commits", repo, one),
        "verification": UNSIGNED,
    }


def signed(repo: Repository, one: Commit) -> JsonObject:
    """Author, committer and message of a commit."""
    who = author(repo, one.number)
    person = {"name": who.name, "email": f"{who.id}+{who.login}@users.noreply.github.com"}
    person["date"] = one.date
    return {"author": person, "committer": person, "message": one.subject}


def parents(commits: str, repo: Repository, one: Commit) -> list[JsonObject]:
    """The parents of a commit; `commits` begins their addresses."""
    if one.parent is None:
        return []
    page = f"{SITE}/{repo.full_name}/commit/{one.parent}"
    return [{"sha": one.parent, "url": f"{commits}/{one.parent}", "html_url": page}]


def commit(base: str, repo: Repository, one: Commit) -> JsonObject:
    """A commit in a list (schema `commit`)."""
    url, root = home(base, repo), git_objects.entries(repo)[""]
    who = simple_user(base, author(repo, one.number))
    return {
        "sha": one.sha,
        "node_id": node_id("Commit", one.number),
        "commit": {
            **signed(repo, one),
            "tree": {"sha": root.sha, "url": f"{url}/git/trees/{root.sha}"},
            "url": f"{url}/git/commits/{one.sha}",
            "comment_count": 0,
            "verification": UNSIGNED,
        },
        "url": f"{url}/commits/{one.sha}",
        "html_url": f"{SITE}/{repo.full_name}/commit/{one.sha}",
        "comments_url": f"{url}/commits/{one.sha}/comments",
        "author": who,
        "committer": who,
        "parents": parents(f"{url}/commits", repo, one),
    }


def whole_commit(base: str, repo: Repository, one: Commit) -> JsonObject:
    """`commits/{ref}`: a commit with its changes."""
    stats = {"total": 2, "additions": 1, "deletions": 1}
    return commit(base, repo, one) | {
        "stats": stats,
        "files": [changed_file(base, repo, one.file, one)],
    }


def changed_file(base: str, repo: Repository, path: str, one: Commit) -> JsonObject:
    """A file that a commit changed (schema `diff-entry`)."""
    page, name = f"{SITE}/{repo.full_name}", quote(path)
    text = git_objects.diff([path], before=one.number - 1, after=one.number)
    return {
        "sha": git_objects.entries(repo)[path].sha,
        "filename": path,
        "status": "modified",
        "additions": 1,
        "deletions": 1,
        "changes": 2,
        "blob_url": f"{page}/blob/{one.sha}/{name}",
        "raw_url": f"{page}/raw/{one.sha}/{name}",
        "contents_url": f"{home(base, repo)}/contents/{name}?ref={one.sha}",
        "patch": text[text.index("@@") :].removesuffix("\n"),
    }


def comparison(
    base: str, repo: Repository, names: tuple[str, str], ends: tuple[Commit, Commit]
) -> JsonObject:
    """`compare/{basehead}` (schema `commit-comparison`); the history is a line."""
    old, new = ends
    ahead, behind = max(0, new.number - old.number), max(0, old.number - new.number)
    merge_base = git_objects.commit(repo, min(old.number, new.number))
    page, url = f"{SITE}/{repo.full_name}/compare", f"{home(base, repo)}/compare"
    span = "...".join(quote(name, safe="") for name in names)
    made = [git_objects.commit(repo, n) for n in range(old.number + 1, new.number + 1)]
    owner = repo.owner.login
    return {
        "url": f"{url}/{span}",
        "html_url": f"{page}/{span}",
        "permalink_url": f"{page}/{owner}:{old.sha[:7]}...{owner}:{new.sha[:7]}",
        "diff_url": f"{page}/{span}.diff",
        "patch_url": f"{page}/{span}.patch",
        "base_commit": commit(base, repo, old),
        "merge_base_commit": commit(base, repo, merge_base),
        "status": "ahead" if ahead else "behind" if behind else "identical",
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": [commit(base, repo, one) for one in made],
        "files": [changed_file(base, repo, path, new) for path in sorted({c.file for c in made})],
    }


def short_branch(base: str, repo: Repository, name: str) -> JsonObject:
    """A branch in a list (schema `short-branch`)."""
    one = git_objects.commit(repo, git_objects.branches(repo)[name])
    return {
        "name": name,
        "commit": {"sha": one.sha, "url": f"{home(base, repo)}/commits/{one.sha}"},
        "protected": False,
    }


def branch(base: str, repo: Repository, name: str) -> JsonObject:
    """`branches/{branch}` (schema `branch-with-protection`)."""
    url = f"{home(base, repo)}/branches/{quote(name, safe='')}"
    one = git_objects.commit(repo, git_objects.branches(repo)[name])
    checks = {"enforcement_level": "off", "contexts": [], "checks": []}
    return {
        "name": name,
        "commit": commit(base, repo, one),
        "_links": {"self": url, "html": f"{SITE}/{repo.full_name}/tree/{quote(name)}"},
        "protected": False,
        "protection": {"enabled": False, "required_status_checks": checks},
        "protection_url": f"{url}/protection",
    }


def tag(base: str, repo: Repository, name: str) -> JsonObject:
    """A tag in a list (schema `tag`)."""
    url = home(base, repo)
    one = git_objects.commit(repo, git_objects.tags(repo)[name])
    return {
        "name": name,
        "zipball_url": f"{url}/zipball/refs/tags/{name}",
        "tarball_url": f"{url}/tarball/refs/tags/{name}",
        "commit": {"sha": one.sha, "url": f"{url}/commits/{one.sha}"},
        "node_id": node_id("Ref", one.number),
    }


def ref(base: str, repo: Repository, name: str) -> JsonObject:
    """A ref by its name without `refs/` (schema `git-ref`)."""
    one = git_objects.resolve(repo, name)
    assert one
    url = home(base, repo)
    return {
        "ref": f"refs/{name}",
        "node_id": node_id("Ref", one.number),
        "url": f"{url}/git/refs/{quote(name)}",
        "object": {"type": "commit", "sha": one.sha, "url": f"{url}/git/commits/{one.sha}"},
    }


def tree(base: str, repo: Repository, entry: Entry, *, recursive: bool) -> JsonObject:
    """A directory as git knows it (schema `git-tree`)."""
    url = f"{home(base, repo)}/git"
    start = f"{entry.path}/" if entry.path else ""
    below = [one for one in git_objects.entries(repo).values() if one.path.startswith(start)]
    shown = below if recursive else git_objects.children(repo, entry.path)
    ordered = sorted((one for one in shown if one.path), key=lambda found: found.path)
    items = [tree_item(url, one, one.path.removeprefix(start)) for one in ordered]
    made = {"sha": entry.sha, "url": f"{url}/trees/{entry.sha}"}
    return made | {"tree": items, "truncated": False}


def tree_item(url: str, one: Entry, path: str) -> JsonObject:
    """An entry of a tree, by its path from there."""
    kind = {"dir": "tree", "submodule": "commit"}.get(one.kind, "blob")
    item: JsonObject = {"path": path, "mode": git_objects.MODES[one.kind]}
    item |= {"type": kind, "sha": one.sha}
    item |= {"size": len(one.data)} if kind == "blob" else {}
    return item | ({} if kind == "commit" else {"url": f"{url}/{kind}s/{one.sha}"})


def blob(base: str, repo: Repository, entry: Entry) -> JsonObject:
    """A file by its id (schema `blob`)."""
    return {
        "sha": entry.sha,
        "node_id": node_id("Blob", int(entry.sha[:8], 16)),
        "size": len(entry.data),
        "url": f"{home(base, repo)}/git/blobs/{entry.sha}",
        "content": wrapped(entry.data),
        "encoding": "base64",
    }
