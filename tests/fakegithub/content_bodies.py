"""GitHub's answers about files and directories: `contents`, `readme`, and their media types.

Schemas: `content-file`, `content-directory`, `content-tree`, `content-symlink`,
`content-submodule`.
"""

import html
from base64 import b64encode
from typing import Final
from urllib.parse import quote

from tests.fakegithub import git_objects
from tests.fakegithub.bodies import SITE, JsonObject
from tests.fakegithub.git_objects import Entry
from tests.fakegithub.route_targets import Refusal, RenderOther, RouteContext, RouteTarget, Single
from tests.fakegithub.world import Repository

LARGEST_IN_JSON: Final = 1_000_000  # bytes; GitHub says 1 MB
RAW: Final = "https://raw.githubusercontent.com"


def contents(context: RouteContext, repo: Repository, path: str) -> RouteTarget:
    """`contents/{path}`; one slash at its end is ignored, and the root's path is empty."""
    ref = context.query.get("ref") or repo.default_branch
    if git_objects.resolve(repo, ref) is None:
        return Refusal(404, f"No commit found for the ref {ref}")
    entry = git_objects.entries(repo).get(path.removesuffix("/"))
    if entry is None:
        return None
    if entry.kind == "dir":
        return Directory(repo, entry, ref).target()
    if entry.kind == "symlink":  # of which GitHub gives the file that it leads to
        entry = git_objects.entries(repo)[entry.data.decode()]
    return file_target(repo, entry, ref)


def readme(context: RouteContext, repo: Repository, folder: str) -> RouteTarget:
    """`readme` and `readme/{dir}`."""
    return contents(context, repo, f"{folder.strip('/')}/README.md".removeprefix("/"))


def file_target(repo: Repository, entry: Entry, ref: str) -> Single:
    """A file or a submodule, with the representations that GitHub documents."""
    media: dict[str, RenderOther] = {}
    if entry.kind == "file":
        media = {"raw": lambda _: entry.data, "html": lambda _: as_html(entry)}
    return Single(lambda base: file_body(base, repo, entry, ref), media=media)


class Directory:
    """A directory at a ref."""

    def __init__(self, repo: Repository, entry: Entry, ref: str) -> None:
        self.repo, self.entry, self.ref = repo, entry, ref

    def target(self) -> Single:
        """Its listing; the media type `object` puts that into an object."""
        return Single(self.listing, media={"object": self.as_object})

    def listing(self, base: str) -> list[JsonObject]:
        """Its entries; a submodule is listed as a file (see `api_versions`)."""
        found = git_objects.children(self.repo, self.entry.path)
        made = [entry_body(base, self.repo, one, self.ref) for one in found]
        submodule = {"type": "file", "submodule_git_url": f"{SITE}/octocat/lib.git"}
        return [one | (submodule if one["type"] == "submodule" else {}) for one in made]

    def as_object(self, base: str) -> JsonObject:
        """The directory as an object with its `entries`."""
        body = entry_body(base, self.repo, self.entry, self.ref)
        return body | {"entries": self.listing(base)}


def entry_body(base: str, repo: Repository, entry: Entry, ref: str) -> JsonObject:
    """What a listing has of an entry."""
    home, page = f"{base}/repos/{repo.full_name}", f"{SITE}/{repo.full_name}"
    path = quote(entry.path)
    url = f"{home}/contents/{path}?ref={quote(ref, safe='')}"
    kind, view = ("trees", "tree") if entry.kind in ("dir", "submodule") else ("blobs", "blob")
    git_url = f"{home}/git/{kind}/{entry.sha}"
    html_url = f"{page}/{view}/{quote(ref)}/{path}"
    plain = entry.kind in ("file", "symlink")
    return {
        "name": entry.name,
        "path": entry.path,
        "sha": entry.sha,
        "size": len(entry.data),
        "url": url,
        "html_url": html_url,
        "git_url": git_url,
        "download_url": f"{RAW}/{repo.full_name}/{quote(ref)}/{path}" if plain else None,
        "type": entry.kind,
        "_links": {"self": url, "git": git_url, "html": html_url},
    }


def file_body(base: str, repo: Repository, entry: Entry, ref: str) -> JsonObject:
    """One file with its contents, or a submodule."""
    body = entry_body(base, repo, entry, ref)
    links = {"_links": body.pop("_links")}
    if entry.kind == "submodule":
        return body | {"submodule_git_url": f"{SITE}/octocat/lib.git"} | links
    whole = len(entry.data) <= LARGEST_IN_JSON
    content = wrapped(entry.data) if whole else ""
    return body | {"content": content, "encoding": "base64" if whole else "none"} | links


def wrapped(data: bytes) -> str:
    """Base64 in lines of 60 characters, as GitHub writes it."""
    text = b64encode(data).decode()
    return "".join(f"{text[start : start + 60]}\n" for start in range(0, len(text), 60))


def as_html(entry: Entry) -> bytes:
    """A file as GitHub shows it on its site, without its Markdown."""
    text = html.escape(entry.data.decode(errors="replace"))
    return (
        f'<div id="file" class="md" data-path="{html.escape(entry.path)}"><article '
        f'class="markdown-body entry-content container-lg" itemprop="text"><p dir="auto">{text}'
        "</p></article></div>"
    ).encode()
