"""The catalogue: which resources the settings track, and which resource a request names."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

from shared.api_versions import UNNAMED
from shared.errors import SettingsError
from shared.resources.kinds import ON_DEMAND, TRACKED, Kind
from shared.resources.operations import operation_of
from shared.resources.owners import Owners
from shared.resources.resource import Resource
from shared.resources.resource_name import (
    MAX_NAME_BYTES,
    canonical_query,
    is_text,
    path_from,
)
from shared.resources.unserved import Unserved, unserved
from shared.settings import Settings


@dataclass(frozen=True)
class Catalogue:
    """The resources of one set of settings.

    Args:
        orgs: organisations tracked, in the settings' order and spelling.
        include_private: private repositories, and what lies below them, are admitted.
        on_demand_owners: whose content may be asked for on demand, besides that of `orgs`; empty
            for everybody's.
        kinds: the rows of the table that are tracked.
        api_version: of GitHub's API, for what names no other.
    """

    orgs: tuple[str, ...]
    include_private: bool = False
    on_demand_owners: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = TRACKED
    api_version: str = UNNAMED

    @classmethod
    def of(cls, settings: Settings) -> "Catalogue":
        """The catalogue of a process."""
        return cls(
            settings.orgs,
            include_private=settings.include_private,
            on_demand_owners=settings.on_demand_owners,
            api_version=settings.github_api_version,
        )

    @cached_property
    def tracked(self) -> tuple[Resource, ...]:
        """Every tracked resource: those of no organisation first, then each organisation's.

        Raises:
            SettingsError: the table of operations refuses one; tracking does not change that.
        """
        of_orgs = [kind for kind in self.kinds if kind.is_of_an_organisation]
        resources = [self.of_kind(kind) for kind in self.kinds if kind not in of_orgs]
        resources += [self.of_kind(kind, org) for org in self.orgs for kind in of_orgs]
        for resource in resources:
            if not resource.is_allowed:
                raise SettingsError(f"{resource.name} cannot be tracked: it is not public")
        return tuple(resources)

    def of_kind(self, kind: Kind, org: str = "") -> Resource:
        """The tracked resource of a kind.

        Args:
            kind: a row of the table.
            org: in the settings' spelling, for a kind with one resource for each organisation.
        """
        path = kind.template.replace("{org}", org)
        return self._resource(path, kind=kind)

    def _resource(self, path: str, query: str = "", kind: Kind = ON_DEMAND) -> Resource:
        return Resource(
            path,
            query,
            kind=kind,
            include_private=self.include_private,
            version="" if self.api_version == UNNAMED else self.api_version,
        )

    @cached_property
    def _by_folded_path(self) -> dict[str, Resource]:
        return {resource.path.lower(): resource for resource in self.tracked}

    def org(self, name: str) -> str | None:
        """The tracked organisation of that name, in the settings' spelling; None for others."""
        return next((org for org in self.orgs if org.lower() == name.lower()), None)

    def find(self, path: str, query: str = "") -> Resource | None:
        """The resource that a request names, or None if the cache does not serve it.

        Args:
            path: as sent, percent-encoded or not.
            query: as sent, without `?`.
        """
        if not is_text(path + query):
            return None
        segments, operation = operation_of(path)
        asked = canonical_query(query)
        if operation is None or not operation.admits(asked):
            return None
        if not segments:  # the root has no parameters
            asked = ""
        canonical = path_from(segments)
        if not asked:
            tracked = self._by_folded_path.get(canonical.lower())
            if tracked is not None:
                return tracked
        if not self._owners.admit(operation, segments, asked):
            return None
        resource = self._resource(canonical, asked)
        return resource if len(resource.name) <= MAX_NAME_BYTES else None

    def unserved(self, path: str, query: str = "") -> Unserved:
        """Why `find` has found nothing for the same arguments."""
        return unserved(path, query, self._owners)

    @cached_property
    def _owners(self) -> Owners:
        return Owners.of(self.on_demand_owners, self.orgs)

    def named(self, name: str) -> Resource | None:
        """The resource whose `Resource.name` this is: the way back from a job's argument.

        The name alone decides the version, so that any process can refresh what another one names.
        """
        target, _, unusual = name.partition("#")
        path, _, query = target.partition("?")
        found, parts = self.find(path, query), dict(parse_qsl(unusual))
        if found is None:
            return None
        return found.represented(media=parts.get("media", ""), version=parts.get("version", ""))

    def written(self, text: str) -> Resource | None:
        """The resource that a person means: as a name, or as a client would request it."""
        path, _, query = text.partition("?")
        return self.named(text) if "#" in text else self.find(path, query)
