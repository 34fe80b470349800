"""GitHub's JSON objects of a repository and of its parts; see `bodies`."""

import random

from tests.fakegithub import sample_data
from tests.fakegithub.bodies import (
    REPO_PATHS,
    SITE,
    JsonObject,
    license_simple,
    node_id,
    simple_user,
)
from tests.fakegithub.world import Account, Repository


def minimal_repository(base: str, repo: Repository) -> JsonObject:
    """A repository in a list, as anybody sees it (schema `minimal-repository`)."""
    url = f"{base}/repos/{repo.full_name}"
    page = f"{SITE}/{repo.full_name}"
    return {
        "id": repo.id,
        "node_id": node_id("Repository", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": simple_user(base, repo.owner),
        "html_url": page,
        "description": repo.description,
        "fork": repo.fork,
        "url": url,
        **{key: url + path for key, path in REPO_PATHS.items()},
        "created_at": repo.created_at,
        "updated_at": repo.updated_at,
        "pushed_at": repo.pushed_at,
        "git_url": f"git://github.com/{repo.full_name}.git",
        "ssh_url": f"git@github.com:{repo.full_name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        "homepage": repo.homepage,
        "size": repo.size,
        "stargazers_count": repo.stars,
        "watchers_count": repo.stars,
        "language": repo.language,
        "has_issues": True,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
        "forks_count": repo.forks,
        "mirror_url": None,
        "archived": repo.archived,
        "disabled": False,
        "open_issues_count": repo.open_issues,
        "license": license_simple(base, repo.license),
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": list(repo.topics),
        "visibility": repo.visibility,
        "forks": repo.forks,
        "open_issues": repo.open_issues,
        "watchers": repo.stars,
        "default_branch": repo.default_branch,
    }


def full_repository(base: str, repo: Repository) -> JsonObject:
    """`GET /repos/{owner}/{repo}` (schema `full-repository`)."""
    body = minimal_repository(base, repo) | {"temp_clone_token": None}
    if repo.owner.kind == "Organization":
        body |= {"custom_properties": {}, "organization": simple_user(base, repo.owner)}
    if repo.parent and not repo.parent.private:
        source = repo.parent
        while source.parent and not source.parent.private:
            source = source.parent
        for key, ancestor in (("parent", repo.parent), ("source", source)):
            body[key] = minimal_repository(base, ancestor)
    return body | {"network_count": repo.forks, "subscribers_count": repo.subscribers}


def languages(repo: Repository) -> JsonObject:
    """`GET /repos/{owner}/{repo}/languages`: bytes of code by language, most first."""
    if repo.language is None:
        return {}
    return {repo.language: repo.size * 700, "Makefile": 400 + repo.size % 300}


def sbom(repo: Repository) -> JsonObject:
    """`GET /repos/{owner}/{repo}/dependency-graph/sbom`: an SPDX document of one dependency."""
    language = (repo.language or "generic").lower()
    licence = sample_data.LICENSES[repo.license][1] if repo.license else "NOASSERTION"
    document, itself, needed = "SPDXRef-DOCUMENT", "SPDXRef-Repository", "SPDXRef-Package"
    return {
        "sbom": {
            "SPDXID": document,
            "spdxVersion": "SPDX-2.3",
            "creationInfo": {
                "created": repo.pushed_at,
                "creators": ["Tool: GitHub.com-Dependency-Graph"],
            },
            "name": f"com.github.{repo.full_name}",
            "dataLicense": "CC0-1.0",
            "documentNamespace": f"https://spdx.org/spdxdocs/protobom/{repo.id}",
            "packages": [
                spdx_package(
                    f"{language}-kit", needed, "1.0.0", "MIT", f"pkg:{language}/kit@1.0.0"
                ),
                spdx_package(
                    f"com.github.{repo.full_name}",
                    itself,
                    repo.default_branch,
                    licence,
                    f"pkg:github/{repo.full_name}@{repo.default_branch}",
                ),
            ],
            "relationships": [
                spdx_relationship(itself, "DEPENDS_ON", needed),
                spdx_relationship(document, "DESCRIBES", itself),
            ],
        }
    }


def spdx_package(name: str, spdx_id: str, version: str, licence: str, purl: str) -> JsonObject:
    """A package of an SPDX document."""
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
    return {
        "name": name,
        "SPDXID": spdx_id,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": licence,
        "externalRefs": [reference | {"referenceLocator": purl}],
    }


def spdx_relationship(element: str, kind: str, related: str) -> JsonObject:
    """A relationship between two elements of an SPDX document."""
    return {"relationshipType": kind, "spdxElementId": element, "relatedSpdxElement": related}


def contributors(repo: Repository, people: list[Account]) -> list[tuple[Account, int]]:
    """Contributors with their counts, most first: a few of `people`, the same ones each time."""
    dice = random.Random(repo.id)
    chosen = dice.sample(people, min(len(people), 3 + repo.id % 40))
    counts = sorted((dice.randrange(1, 900) for _ in chosen), reverse=True)
    return list(zip(chosen, counts, strict=True))


def contributor(base: str, entry: tuple[Account, int]) -> JsonObject:
    """One of a repository's contributors: a simple user with a count of contributions."""
    account, contributions = entry
    return simple_user(base, account) | {"contributions": contributions}
