"""Whose visibility a resource shares."""

from shared.resources import Resource

_REPOSITORY_SEGMENTS = 3  # repos, owner, name


def parent_repository(resource: Resource) -> Resource | None:
    """The repository that a resource lies below; None for a repository itself and all else."""
    segments = resource.path.strip("/").split("/")
    if segments[0] != "repos" or len(segments) <= _REPOSITORY_SEGMENTS:
        return None
    path = "/" + "/".join(segments[:_REPOSITORY_SEGMENTS])
    return Resource(path, include_private=resource.include_private)
