"""A repository's git objects: files, trees, commits, branches and tags, made from its id.

The files are real: the ids of blobs and trees are those that git computes. A commit's id is a hash
of its place in the history, so a push adds one and changes no other. All repositories have the
same files except README.md and LICENSE.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from tests.fakegithub.world import Repository, iso

COMMITS: Final = 64  # of the default branch before any push
HOUR: Final = 3600
MODES: Final = {"file": "100644", "symlink": "120000", "submodule": "160000", "dir": "040000"}
SUBMODULE: Final = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)
LARGE: Final = 1_100_000  # bytes; above 1 MB the contents come by the raw media type only
# Branches beside the default one: name -> commits behind the newest one.
BRANCHES: Final = {"feature/login": 3, "next": 0, "topic": 2, "main": 0}
FILES: Final = {
    "docs/README.md": b"# Documentation\n",
    "docs/index.md": b"# Index\n\nSee [the guide](guide/start.md).\n",
    "docs/guide/start.md": "# Start\n\nÜber *naïve* users.\n".encode(),
    "docs/page.html": b"<!DOCTYPE html>\n<script>document.title = 'run'</script>\n",
    "docs/a b+c&d#e.txt": b"A name with characters that a URL encodes.\n",
    "src/main.py": b'print("hello")\n',
    "logo.png": PNG,
    "data.bin": b"\0\1\2\3" * (LARGE // 4),
}


@dataclass(frozen=True)
class Entry:
    """A file, a symbolic link, a submodule or a directory, by its path without slashes around."""

    path: str
    kind: str
    sha: str
    data: bytes = b""

    @property
    def name(self) -> str:
        """The last segment of its path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The path of its directory; "" is the root."""
        return self.path.rpartition("/")[0]


@dataclass(frozen=True)
class Commit:
    """A commit of the history: `number` 1 is the first; its file is the one that it changed."""

    number: int
    sha: str
    parent: str | None
    date: str
    subject: str
    file: str


def object_sha(kind: str, data: bytes) -> str:
    """The id that git gives an object."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()


@lru_cache(maxsize=256)
def tree(name: str, description: str | None, licence: str | None) -> dict[str, Entry]:
    """All entries by path, with the root under "", of a repository of that name."""
    readme = f"# {name}\n\n{description or 'No description'}\n".encode()
    files = {"README.md": readme, **FILES}
    files |= {"LICENSE": f"{licence}\n".encode()} if licence else {}
    found = {
        path: Entry(path, "file", object_sha("blob", data), data) for path, data in files.items()
    }
    link = b"README.md"
    found["latest.md"] = Entry("latest.md", "symlink", object_sha("blob", link), link)
    found["vendor/lib"] = Entry("vendor/lib", "submodule", SUBMODULE)
    folders = {one.parent for one in found.values()} | {"docs", ""}
    for path in sorted(folders, key=lambda one: -len(one.split("/")) if one else 0):
        data = tree_data([one for one in found.values() if one.parent == path and one.path != path])
        found[path] = Entry(path, "dir", object_sha("tree", data))
    return found


def tree_data(entries: list[Entry]) -> bytes:
    """A tree object as git stores it: directories are sorted as if their names ended in a slash."""
    ordered = sorted(entries, key=lambda one: one.name + "/" * (one.kind == "dir"))
    return b"".join(
        b"%s %s\0%s"
        % (MODES[one.kind].lstrip("0").encode(), one.name.encode(), bytes.fromhex(one.sha))
        for one in ordered
    )


def entries(repo: Repository) -> dict[str, Entry]:
    """All entries of a repository by path."""
    return tree(repo.name, repo.description, repo.license)


def children(repo: Repository, path: str) -> list[Entry]:
    """The entries of a directory, by name."""
    found = [one for one in entries(repo).values() if one.path and one.parent == path]
    return sorted(found, key=lambda one: one.path)


def commit(repo: Repository, number: int) -> Commit:
    """The commit of that number."""
    born = int(datetime.fromisoformat(repo.created_at).timestamp())
    paths = sorted(FILES)
    return Commit(
        number,
        commit_sha(repo, number),
        commit_sha(repo, number - 1) if number > 1 else None,
        iso(born + number * HOUR),
        f"Change number {number}",
        paths[number % len(paths)],
    )


def commit_sha(repo: Repository, number: int) -> str:
    """The id of the commit of that number."""
    return hashlib.sha1(b"commit %d of %d" % (number, repo.id)).hexdigest()


def newest(repo: Repository) -> int:
    """The number of the default branch's newest commit."""
    return COMMITS + repo.pushes


def branches(repo: Repository) -> dict[str, int]:
    """All branches by name, with the numbers of their commits."""
    behind = {repo.default_branch: 0, **BRANCHES}
    return {name: newest(repo) - behind[name] for name in sorted(behind)}


def tags(repo: Repository) -> dict[str, int]:
    """All tags by name, newest first, with the numbers of their commits; see `release_bodies`."""
    return {f"v{version}.0": version * 10 for version in range(1 + repo.id % 3, 0, -1)}


def resolve(repo: Repository, ref: str) -> Commit | None:
    """The commit that a branch, a tag, a full ref or an id (7 digits or more) names."""
    if ref in ("", "HEAD"):
        ref = repo.default_branch
    name = ref.removeprefix("refs/")
    known = branches(repo) | {f"heads/{one}": number for one, number in branches(repo).items()}
    known |= {one: number for one, number in tags(repo).items() if one not in known}
    known |= {f"tags/{one}": number for one, number in tags(repo).items()}
    if name in known:
        return commit(repo, known[name])
    if len(ref) < 7:
        return None
    numbers = range(newest(repo), 0, -1)
    found = next((one for one in numbers if commit_sha(repo, one).startswith(ref)), None)
    return commit(repo, found) if found else None


def diff(changed: list[str], *, before: int, after: int) -> str:
    """A unified diff of text files, which differ in a line with the number of their commit."""
    parts = [
        f"diff --git a/{path} b/{path}\nindex {before:07x}..{after:07x} 100644\n"
        f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-Line of {before}\n+Line of {after}\n"
        for path in changed
    ]
    return "".join(parts)


def patch(one: Commit) -> str:
    """A commit as `git format-patch` writes it."""
    moment = datetime.fromisoformat(one.date).strftime("%a, %-d %b %Y %H:%M:%S +0000")
    return (
        f"From {one.sha} Mon Sep 17 00:00:00 2001\nFrom: A Committer <committer@example.com>\n"
        f"Date: {moment}\nSubject: [PATCH] {one.subject}\n\n---\n"
        f" {one.file} | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n"
        f"{diff([one.file], before=one.number - 1, after=one.number)}-- \n2.50.0\n\n"
    )
