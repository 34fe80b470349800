"""How long content stays fresh at most, whatever its entry says."""

import math
from dataclasses import dataclass, replace
from typing import Final, Self

from shared.entry import Metadata
from shared.resources.resource import Resource
from shared.settings import Settings


@dataclass(frozen=True)
class Lifetimes:
    """Seconds that content stays fresh at most.

    Args:
        tracked: content that the settings name.
        on_demand: all other content.
    """

    tracked: float = math.inf
    on_demand: float = math.inf

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of the settings."""
        return cls(settings.cache_ttl, settings.on_demand_ttl)

    def of_resource(self, resource: Resource) -> float:
        """That of a resource's content."""
        return self.tracked if resource.tracked else self.on_demand

    def bound(self, resource: Resource, metadata: Metadata) -> Metadata:
        """The metadata of a resource, fresh for no longer than its lifetime."""
        until = metadata.validated_at + self.of_resource(resource)
        return metadata if metadata.fresh_until <= until else replace(metadata, fresh_until=until)


UNBOUNDED: Final = Lifetimes()
