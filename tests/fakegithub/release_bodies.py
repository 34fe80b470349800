"""GitHub's JSON objects of a repository's releases; see `bodies`.

A repository's releases depend on its id only: up to three are published, and the newest is a draft.
Their ids are unique within their repository only.
"""

from dataclasses import dataclass

from tests.fakegithub.bodies import SITE, JsonObject, node_id, simple_user
from tests.fakegithub.body_properties import REFERENCE
from tests.fakegithub.world import Account, Repository


@dataclass(frozen=True)
class Release:
    """A release with one file of the same id; a draft is found by its id only."""

    id: int
    draft: bool

    @property
    def tag(self) -> str:
        """The name of its tag."""
        return f"v{self.id}.0"


def releases(repo: Repository) -> list[Release]:
    """All releases of a repository, drafts included, newest first."""
    published = 1 + repo.id % 3
    return [Release(version, draft=version > published) for version in range(published + 1, 0, -1)]


def release(base: str, repo: Repository, one: Release) -> JsonObject:
    """A release (schema `release`)."""
    home, page = f"{base}/repos/{repo.full_name}", f"{SITE}/{repo.full_name}"
    url = f"{home}/releases/{one.id}"
    return {
        "url": url,
        "assets_url": f"{url}/assets",
        "upload_url": f"https://uploads.github.com/repos/{repo.full_name}/releases/{one.id}/assets"
        "{?name,label}",
        "html_url": f"{page}/releases/tag/{'untagged-' if one.draft else ''}{one.tag}",
        "id": one.id,
        "author": simple_user(base, author(repo)),
        "node_id": node_id("Release", one.id),
        "tag_name": one.tag,
        "target_commitish": repo.default_branch,
        "name": f"{repo.name} {one.id}",
        "draft": one.draft,
        "immutable": False,
        "prerelease": False,
        "created_at": repo.created_at,
        "updated_at": repo.created_at,
        "published_at": None if one.draft else repo.created_at,
        "assets": [asset(base, repo, one)],
        "tarball_url": None if one.draft else f"{home}/tarball/{one.tag}",
        "zipball_url": None if one.draft else f"{home}/zipball/{one.tag}",
        "body": "Not told to anybody yet"
        if one.draft
        else f"What is new in {one.tag}: {REFERENCE}",
    }


def author(repo: Repository) -> Account:
    """The author of the releases: a public member, or the owner."""
    return next(iter(repo.owner.public_members()), repo.owner)


def asset(base: str, repo: Repository, one: Release) -> JsonObject:
    """The file of a release (schema `release-asset`)."""
    name = f"{repo.name}-{one.tag}.tar.gz"
    return {
        "url": f"{base}/repos/{repo.full_name}/releases/assets/{one.id}",
        "id": one.id,
        "node_id": node_id("ReleaseAsset", one.id),
        "name": name,
        "label": "",
        "uploader": simple_user(base, author(repo)),
        "content_type": "application/gzip",
        "state": "uploaded",
        "size": 1024 * one.id,
        "digest": None,
        "download_count": one.id % 100,
        "created_at": repo.created_at,
        "updated_at": repo.created_at,
        "browser_download_url": f"{SITE}/{repo.full_name}/releases/download/{one.tag}/{name}",
    }
