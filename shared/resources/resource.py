"""What the cache can serve, and the one name that each such thing has.

A resource is a GitHub path with its canonical query. Its name is what people, jobs and logs call
it; two requests that GitHub would answer alike have the same name. Entries, locks and queued jobs
are known by name and form: what a process with other settings stored is another thing.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import parse_qsl, quote, unquote, urlencode

from shared.resources.operations import Decision, Operation, operation_at

# Paths longer than this are nobody's honest request, and every one is a key in Redis.
MAX_NAME_BYTES = 1024
# Each takes two bytes at least; the time to match many more of them grows with their square.
_MAX_SEGMENTS = MAX_NAME_BYTES // 2

_SEGMENT = re.compile(r"[^\x00-\x1f\x7f/\\]+")
# Below these lie an owner and a repository; elsewhere there is one such name at the most.
_OF_REPOSITORIES = frozenset({"repos", "networks"})
# Raise this when what is public of an answer is judged more strictly (also by a stricter row or
# shape in `shared/operations`), so that what was stored by the older rule counts as absent.
_PUBLIC_RULES = 1


@dataclass(frozen=True)
class Resource:
    """A path of GitHub with its canonical query, and how it is kept.

    Not a URL: it has no host, and its query is sorted and re-encoded.

    Args:
        path: begins with `/`; percent-encoded in the one canonical way.
        query: canonical query string, without `?`; empty for none.
        tracked: named by the settings and always kept; otherwise on demand.
        expanded: all pages are followed and flattened into one array.
        ranked: the views are computed from it.
        include_private: private repositories, and what lies below them, are let in.
    """

    path: str
    query: str = ""
    tracked: bool = False
    expanded: bool = False
    ranked: bool = False
    include_private: bool = False

    @cached_property
    def name(self) -> str:
        """The path with its query: what people and logs call the resource."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @cached_property
    def form(self) -> str:
        """What its entries are made for: how it is kept, and by which rule of what is public.

        Processes whose settings differ, as in a rolling change, do not share entries of different
        forms: to each of them the other's count as absent.
        """
        kept = "tracked" if self.tracked else "on-demand"
        shape = ("ranked list" if self.ranked else "list") if self.expanded else "answer"
        visible = "private" if self.include_private else "public"
        return f"{kept} {shape}, {visible} {_PUBLIC_RULES}"

    @cached_property
    def id(self) -> str:
        """A short form of name and form that Redis keys and RQ job ids can hold (hex digits)."""
        return hashlib.sha256(f"{self.form}\n{self.name}".encode()).hexdigest()[:32]

    @property
    def other_form(self) -> "Resource":
        """The same as processes keep it whose `INCLUDE_PRIVATE` is the other one."""
        return replace(self, include_private=not self.include_private)

    @cached_property
    def operation(self) -> Operation | None:
        """The operation of GitHub's that answers it; None where GitHub documents none."""
        return operation_at(_segments(self.path) or [])


@dataclass(frozen=True)
class Catalogue:
    """The resources of one set of settings: which are tracked, and what a request names.

    Args:
        orgs: organisations tracked, in the settings' order and spelling.
        include_private: private repositories, and what lies below them, are let in.
    """

    orgs: tuple[str, ...]
    include_private: bool = False

    @cached_property
    def tracked(self) -> tuple[Resource, ...]:
        """Every tracked resource, the root first."""
        resources = [self._tracked("/")]
        for org in self.orgs:
            resources += [
                self._tracked(f"/orgs/{org}"),
                self._tracked(f"/orgs/{org}/members", expanded=True),
                self.repositories(org),
            ]
        return tuple(resources)

    def _tracked(self, path: str, *, expanded: bool = False, ranked: bool = False) -> Resource:
        return Resource(
            path,
            tracked=True,
            expanded=expanded,
            ranked=ranked,
            include_private=self.include_private,
        )

    @cached_property
    def _by_folded_name(self) -> dict[str, Resource]:
        return {resource.name.lower(): resource for resource in self.tracked}

    def org(self, name: str) -> str | None:
        """The tracked organisation of that name, in the settings' spelling; None for others."""
        return next((org for org in self.orgs if org.lower() == name.lower()), None)

    def repositories(self, org: str) -> Resource:
        """The list of repositories that the views of `org` are made from."""
        return self._tracked(f"/orgs/{org}/repos", expanded=True, ranked=True)

    def find(self, path: str, query: str = "") -> Resource | None:
        """The resource that a request names, or None when it is not to be had here.

        Args:
            path: as sent, percent-encoded or not.
            query: as sent, without `?`.
        """
        if not _is_text(path + query):
            return None
        segments = _segments(path)
        if segments is None or len(segments) > _MAX_SEGMENTS:
            return None
        operation = operation_at(segments)
        if operation is None or operation.decision is Decision.REFUSED:
            return None
        canonical = "/" + "/".join(quote(part, safe="!$&'()*+,;=:@~-._") for part in segments)
        canonical_query = _canonical_query(query)
        if not canonical_query:
            tracked = self._by_folded_name.get(canonical.lower())
            if tracked is not None:
                return tracked
        resource = Resource(canonical, canonical_query, include_private=self.include_private)
        is_named_well = segments != [] and len(resource.name) <= MAX_NAME_BYTES
        return resource if is_named_well and operation.allows(canonical_query) else None

    def named(self, name: str) -> Resource | None:
        """The resource whose `Resource.name` this is; the way back from a job's argument."""
        path, _, query = name.partition("?")
        return self.find(path, query)


def _is_text(text: str) -> bool:
    """Whether a string can be encoded: JSON can bring half a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _segments(path: str) -> list[str] | None:
    """The decoded segments of a path, owners and repositories in lower case; None if it is odd.

    GitHub ignores the case of logins and repository names, and of nothing else.
    """
    if path == "/":
        return []
    try:
        segments = [unquote(part, errors="strict") for part in path.split("/")]
    except UnicodeDecodeError:
        return None
    # An empty, dot or slash-bearing segment would name one thing here and another at GitHub.
    if len(segments) < 2 or segments.pop(0) or not all(_SEGMENT.fullmatch(s) for s in segments):
        return None
    if not {".", ".."}.isdisjoint(segments):
        return None
    folded = 3 if segments[0].lower() in _OF_REPOSITORIES else 2
    return [part.lower() for part in segments[:folded]] + segments[folded:]


def _canonical_query(query: str) -> str:
    """Sorted by name (repeated ones stay in order), encoded in one way, empty values kept."""
    pairs = parse_qsl(query, keep_blank_values=True)
    return urlencode(sorted(pairs, key=lambda pair: pair[0]), quote_via=quote)
