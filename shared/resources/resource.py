"""A resource: a path of GitHub with its query, and its kind."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

from shared.api_versions import SUPPORTED, UNNAMED
from shared.resources.event_scopes import EVERYTHING, digest_of, repository_key, scopes_of
from shared.resources.kinds import ON_DEMAND, Kind
from shared.resources.media_types import MediaType, media_type, media_types_of
from shared.resources.operations import Operation, operation_at
from shared.resources.resource_name import segments_of, target_of
from shared.stored_form import StoredForm

# Segments of a path up to its repository, with the empty one before the first slash.
_UP_TO_REPOSITORY = {"repos": 4, "networks": 4, "repositories": 3}


@dataclass(frozen=True)
class Resource:
    """A path of GitHub with its canonical query, and its kind.

    Not a URL: it has no host, and its query is sorted and re-encoded.

    Args:
        path: begins with `/`; percent-encoded in the one canonical way.
        query: canonical query string, without `?`; empty for none.
        kind: its row in the table of kinds.
        include_private: private repositories, and what lies below them, are admitted.
        media: name of the media type, a row of `shared.resources.media_types`; empty for JSON.
        version: of GitHub's API; empty for the one that GitHub sends unless a client names another.
    """

    path: str
    query: str = ""
    kind: Kind = ON_DEMAND
    include_private: bool = False
    media: str = ""
    version: str = ""

    @cached_property
    def name(self) -> str:
        """What people, jobs and logs call the resource: path, query, and what is not usual.

        `/repos/a/b/readme?ref=v1#media=raw&version=2026-03-10`
        """
        target = target_of(self.path, self.query)
        unusual = {"media": self.media, "version": self.version}
        written = "&".join(f"{key}={value}" for key, value in unusual.items() if value)
        return f"{target}#{written}" if written else target

    @property
    def api_version(self) -> str:
        """The version of GitHub's API in which it is requested."""
        return self.version or UNNAMED

    @cached_property
    def media_type(self) -> MediaType:
        """The media type in which it is requested."""
        return media_type(self.operation, self.media)

    @property
    def tracked(self) -> bool:
        """Whether the settings name it, so that it is always kept."""
        return self.kind.is_tracked

    @cached_property
    def stored_form(self) -> StoredForm:
        """What its entries are made for; an entry of another form counts as absent."""
        return StoredForm.of(
            self.kind.name,
            is_expanded=self.kind.is_expanded,
            include_private=self.include_private,
            api_version=self.api_version,
        )

    @cached_property
    def form(self) -> str:
        """The same in words: jobs carry it."""
        return str(self.stored_form)

    @cached_property
    def id(self) -> str:
        """A short form of form and name that Redis keys and RQ job ids can hold (hex digits).

        So processes whose settings differ, as in a rolling change, have separate entries.
        """
        return hashlib.sha256(f"{self.form}\n{self.name}".encode()).hexdigest()[:32]

    @property
    def other_form(self) -> "Resource":
        """The same resource in processes with the opposite `INCLUDE_PRIVATE`."""
        return replace(self, include_private=not self.include_private)

    @property
    def former_form(self) -> "Resource | None":
        """A list in the form in which releases before 0.4 stored it; None for anything else."""
        if not self.kind.is_expanded:
            return None
        return replace(self, kind=replace(self.kind, is_expanded=False))

    @cached_property
    def operation(self) -> Operation | None:
        """GitHub's operation for this path; None if GitHub does not document one."""
        return operation_at(segments_of(self.path) or [])

    @cached_property
    def scopes(self) -> tuple[str, ...]:
        """The scopes whose events touch it; none if no event tells of it."""
        operation, segments = self.operation, segments_of(self.path)
        if operation is None or segments is None:
            return ()
        return scopes_of(operation.path, segments)

    @cached_property
    def event_scopes(self) -> tuple[str, ...]:
        """The same as they are stored; none if it is tracked.

        An event marks tracked resources themselves (`reader.webhooks.affected_resources`).
        """
        found = () if self.tracked else self.scopes
        return tuple(digest_of(scope) for scope in (EVERYTHING, *found)) if found else ()

    @cached_property
    def repository_key(self) -> str:
        """How a withdrawal spells the repository that it is or is below; empty if there is none."""
        return repository_key(segments_of(self.path) or [])

    @cached_property
    def repository_above(self) -> str:
        """The path of the repository that it lies below; empty if it lies below none."""
        segments = self.path.split("/")
        length = _UP_TO_REPOSITORY.get(segments[1], len(segments))
        if len(segments) <= length:
            return ""
        root = "repos" if segments[1] == "networks" else segments[1]
        return "/".join(["", root, *segments[2:length]])

    @property
    def is_allowed(self) -> bool:
        """Whether the table of operations allows it, with its query; tracked or not."""
        return self.operation is not None and self.operation.admits(self.query)

    def represented(self, *, media: str, version: str) -> "Resource | None":
        """The same resource in another representation; None if GitHub has none such.

        Another version of a tracked resource is kept on demand, and another media type as GitHub
        sends it: page by page.

        Args:
            media: name of the media type; empty for JSON.
            version: of GitHub's API; empty for the one that `version` of a resource may omit.
        """
        known = {"", *media_types_of(self.operation)}
        if media not in known or version not in {"", *SUPPORTED}:
            return None
        version = "" if version == UNNAMED else version
        if (media, version) == (self.media, self.version):
            return self
        kind = self.kind
        if self.tracked:
            kind = kind.on_demand if media == self.media else ON_DEMAND
        return replace(self, media=media, version=version, kind=kind)
