"""The catalogue: which resources the settings track, and which resource a request names."""

from collections.abc import Iterable
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
    target_of,
)
from shared.resources.tracked_paths import MOST_PATHS, folded, tracked_paths
from shared.resources.unserved import Unserved, unserved
from shared.settings import Settings, stop


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
        track: paths that are tracked besides, as `TRACK` spells them.
    """

    orgs: tuple[str, ...]
    include_private: bool = False
    on_demand_owners: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = TRACKED
    api_version: str = UNNAMED
    track: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Catalogue":
        """The catalogue of a process.

        Raises:
            SettingsError: something cannot be tracked; the message names setting and path.
        """
        found = cls(
            settings.orgs,
            include_private=settings.include_private,
            on_demand_owners=settings.on_demand_owners,
            api_version=settings.github_api_version,
            track=settings.track,
        )
        _ = found.tracked
        return found

    @cached_property
    def tracked(self) -> tuple[Resource, ...]:
        """Every tracked resource: those of no organisation first, then each organisation's, then
        those that only `TRACK` names.

        Raises:
            SettingsError: the table of operations refuses one; tracking does not change that.
        """
        return tuple(self._tracked_by_name.values())

    @cached_property
    def _tracked_by_name(self) -> dict[str, Resource]:
        """The tracked resources by their names, in lower case where GitHub ignores the case."""
        of_orgs = [kind for kind in self.kinds if kind.is_of_an_organisation]
        resources = [self.of_kind(kind) for kind in self.kinds if kind not in of_orgs]
        resources += [self.of_kind(kind, org) for org in self.orgs for kind in of_orgs]
        for resource in resources:
            if not resource.is_allowed:
                raise SettingsError(f"{resource.name} cannot be tracked: it is not public")
        found = {resource.path.lower(): resource for resource in resources}
        for named in self._named():
            found.setdefault(target_of(named.path, named.query), named)
        return found

    def _named(self) -> list[Resource]:
        """What `TRACK` names, each once.

        Raises:
            SettingsError: a path of `TRACK` cannot be tracked, or there are too many.
        """
        try:
            paths = dict.fromkeys(tracked_paths(self.track, self.orgs))
        except ValueError as error:
            raise SettingsError(f"TRACK: {error}") from None
        if len(paths) > MOST_PATHS:
            raise SettingsError(f"TRACK: names more than {MOST_PATHS} paths")
        return [self._resource(one.path, one.query, one.kind) for one in paths]

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
    def repositories_above(self) -> frozenset[str]:
        """The paths of the repositories that what `TRACK` names lies below."""
        named = (resource for resource in self.tracked if resource.kind.is_named)
        return frozenset(one.repository_above for one in named if one.repository_above)

    @cached_property
    def _named_by_scope(self) -> dict[str, list[Resource]]:
        """What only `TRACK` names, by the scopes whose events touch it."""
        found: dict[str, list[Resource]] = {}
        for resource in self.tracked:
            for scope in resource.scopes if resource.kind.is_named else ():
                found.setdefault(scope, []).append(resource)
        return found

    def named_in(self, scopes: Iterable[str]) -> list[Resource]:
        """What only `TRACK` names and lies in one of the scopes, in the order of `tracked`."""
        found = {one for scope in scopes for one in self._named_by_scope.get(scope, ())}
        return [resource for resource in self.tracked if resource in found] if found else []

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
        tracked = self._tracked_by_name.get(target_of(folded(segments, operation), asked))
        if tracked is not None:
            return tracked
        canonical = path_from(segments)
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


def catalogue_or_exit(settings: Settings) -> Catalogue:
    """The catalogue of a process; stop it, as `settings.stop` does, if a path cannot be tracked."""
    try:
        return Catalogue.of(settings)
    except SettingsError as error:
        stop(error)
