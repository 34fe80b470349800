"""Withdrawn repositories: an event of GitHub's says that they are no longer public. Pure.

From the event on nothing of them is served, whatever was stored before it, and whatever GitHub's
replicas, which lag, still show. A repository is withdrawn by its full names and by its id, each of
which ends by itself, so that another repository may have a name that was deleted:

    netflix/hystrix     its full name, in lower case
    #2126               GitHub's id

A withdrawal counts for everything that GitHub was asked for before it, or less than `IN_FORCE_S`
after it. What is newer is GitHub's word. It is remembered for longer, so that nothing older comes
back (`shared.redis.withdrawals`), and it ends early if GitHub tells of a repository that is public
(`reader.webhooks.withdrawals`), or shows it twice, both times later than its replicas lag
(`refresher.visibility.withdrawn`).
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from urllib.parse import unquote

from shared.entry import Entry, Metadata
from shared.resources.resource import Resource
from shared.withdrawn_content import Remover
from shared.withdrawn_entry import withdrawn_entry, without

IN_FORCE_S = 3600.0
_MOST_REMOVERS = 16  # that are remembered, each for other withdrawals


class Withdrawals:
    """What is withdrawn; never changed, only replaced.

    Args:
        times: Unix time in seconds of the event, by key.
        former: what was withdrawn before: with it, a list is searched for what is new only.
    """

    def __init__(
        self, times: Mapping[str, float] | None = None, *, former: "Withdrawals | None" = None
    ) -> None:
        self.times = dict(times or {})
        self._former = () if former is None else tuple(former._removers.values())
        self._removers: dict[frozenset[str], Remover] = {}

    def __bool__(self) -> bool:
        return bool(self.times)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Withdrawals) and self.times == other.times

    __hash__ = None  # type: ignore[assignment]

    @cached_property
    def _last(self) -> float:
        return max(self.times.values(), default=0.0)

    def number(self, now: float) -> int:
        """The number of repositories that were withdrawn in the last `IN_FORCE_S`.

        Args:
            now: Unix time in seconds.
        """
        keys = list(self.recent(now))
        ids = sum(key.startswith("#") for key in keys)
        return ids or len(keys)  # events nearly always have an id

    def recent(self, now: float) -> Mapping[str, float]:
        """The names and ids that were withdrawn in the last `IN_FORCE_S`, with the times.

        Args:
            now: Unix time in seconds.
        """
        return {key: at for key, at in self.times.items() if now < at + IN_FORCE_S}

    def is_named_in(self, text: str) -> bool:
        """Whether the name of a resource, or a sentence, names one of the repositories."""
        if not self.times:
            return False
        lower = unquote(text).lower()
        return any(
            f"/repositories/{key[1:]}" in lower if key.startswith("#") else key in lower
            for key in self.times
        )

    def in_force(self, asked_at: float) -> Remover | None:
        """Removes what must not be shown of content; None if nothing is withdrawn.

        Args:
            asked_at: Unix time in seconds when GitHub was asked for the content.
        """
        if not self.times or asked_at >= self._last + IN_FORCE_S:
            return None
        keys = frozenset(key for key, at in self.times.items() if asked_at < at + IN_FORCE_S)
        found = self._removers.get(keys)
        if found is None:
            if len(self._removers) >= _MOST_REMOVERS:
                self._removers.clear()
            at = max(self.times[key] for key in keys)
            nearest = min(self._former, key=lambda one: len(one.keys ^ keys), default=None)
            found = self._removers[keys] = Remover(keys, at=at, former=nearest)
        return found

    def shown(self, resource: Resource, entry: Entry) -> Entry:
        """What may be served of an entry; the entry itself if nothing of it is withdrawn.

        Args:
            resource: of the entry.
            entry: as it is stored.
        """
        remover = self.in_force(entry.metadata.validated_at)
        if remover is None:
            return entry
        if resource.repository_key in remover.keys:
            return entry if entry.metadata.status == 404 else withdrawn_entry(entry, remover.at)
        return without(remover, entry)

    def told(self, resource: Resource, metadata: Metadata | None) -> Metadata | None:
        """What is told of an entry, besides its content: a withdrawn repository's is a 404.

        Args:
            resource: of the entry.
            metadata: as it is stored; None if there is none.
        """
        remover = None if metadata is None else self.in_force(metadata.validated_at)
        if metadata is None or remover is None or resource.repository_key not in remover.keys:
            return metadata
        return replace(metadata, status=404, is_withdrawn=True)


NOTHING = Withdrawals()
