"""The hosts beside the API that have files: archives of repositories, and files of releases.

With `codeload` or `assets` of OWN_ADDRESS the server is such a host itself, below CODELOAD and
ASSETS. These hosts know neither the API's credentials nor its limits: an archive of a private
repository needs the `token` of its address, a release file the `sig`.
"""

import gzip
import io
import re
import tarfile
import zipfile
from typing import Final

from tests.fakegithub import forms, git_objects
from tests.fakegithub.api_responses import ApiResponse
from tests.fakegithub.http_messages import decoded
from tests.fakegithub.world import Repository, World

OWN_ADDRESS: Final = "self"  # instead of an address: the one that the client used
CODELOAD, ASSETS = "/_codeload", "/_assets"
ARCHIVE: Final = re.compile(f"{CODELOAD}/([^/]+)/([^/]+)/legacy[.](tar[.]gz|zip)/(.+)")
ASSET: Final = re.compile(f"{ASSETS}/github-production-release-asset/([0-9]+)/([0-9]+)")
EPOCH: Final = (2026, 1, 1, 0, 0, 0)


def signature(repo: Repository, number: int) -> str:
    """The signature in the address of a release file."""
    return forms.clone_token(repo.id * 10 + number)


def places(here: str, codeload: str, assets: str) -> tuple[str, str]:
    """Where the hosts are, for a client that uses the address `here`."""
    return (
        here + CODELOAD if codeload == OWN_ADDRESS else codeload,
        here + ASSETS if assets == OWN_ADDRESS else assets,
    )


def respond(world: World, path: str, query: dict[str, str]) -> ApiResponse | None:
    """The response of these hosts to a path; None if the path is the API's."""
    if match := ARCHIVE.fullmatch(path):
        repo = world.repo(match[1], match[2])
        return archive(repo, match[3], decoded(match[4]), query.get("token"))
    if match := ASSET.fullmatch(path):
        return asset(world.repos_by_id.get(int(match[1])), int(match[2]), query.get("sig"))
    return None


def archive(repo: Repository | None, suffix: str, ref: str, token: str | None) -> ApiResponse:
    """An archive, the same bytes each time; 404 for a private one without its token."""
    one = git_objects.resolve(repo, ref) if repo else None
    if repo is None or one is None or (repo.private and token != forms.clone_token(repo.id)):
        return plain(404, b"404: Not Found", "text/plain; charset=utf-8")
    top = f"{repo.full_name.replace('/', '-')}-{one.sha[:7]}"
    files = [entry for entry in git_objects.entries(repo).values() if entry.kind == "file"]
    pairs = [(f"{top}/{entry.path}", entry.data) for entry in files]
    if suffix == "zip":
        return plain(200, zipped(pairs), "application/zip")
    return plain(200, tarred(pairs), "application/x-gzip")


def tarred(files: list[tuple[str, bytes]]) -> bytes:
    """Files as a compressed tar archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), compresslevel=1, mtime=0)


def zipped(files: list[tuple[str, bytes]]) -> bytes:
    """Files as a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files:
            made.writestr(zipfile.ZipInfo(name, EPOCH), data)
    return stream.getvalue()


def asset(repo: Repository | None, number: int, given: str | None) -> ApiResponse:
    """A release file of the size that the API tells; 403 without its signature."""
    if repo is None or given != signature(repo, number):
        return plain(403, b"AuthenticationFailed", "text/plain; charset=utf-8")
    return plain(200, b"\0" * (1024 * number), "application/octet-stream")


def plain(status: int, body: bytes, content_type: str) -> ApiResponse:
    """A response without the API's headers."""
    return ApiResponse(status, body, content_type, metered=False, limited=False)
