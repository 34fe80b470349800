"""Builders of fleets; a test names only what matters to it."""

from dataclasses import replace
from typing import Any

from reader.fleet.heartbeats import ReaderReport
from reader.fleet.view import Fleet, TrackedView
from reader.fleet.workers import WorkerView
from reader.status.page_input import PageInput
from shared.budgets import CredentialBudget
from shared.failure import Failure
from shared.outcomes import RefreshOutcome
from shared.refresh_report import Record, RefreshReport
from tests.builders import CATALOGUE, NOW, make_failure, make_metadata, make_settings, tracked


def make_view(name: str = "/orgs/Netflix", **known: Any) -> TrackedView:
    """A tracked resource that was confirmed a hundred seconds ago, and is fresh for 900 more."""
    metadata = make_metadata(validated_at=NOW - 100, fresh_until=NOW + 900)
    return TrackedView(**{"resource": tracked(name), "now": NOW, "metadata": metadata, **known})


def make_stale(name: str = "/orgs/Netflix", *, age: float = 1200, **known: Any) -> TrackedView:
    """The same, past its lifetime."""
    metadata = make_metadata(validated_at=NOW - age, fresh_until=NOW - age + 1000)
    return make_view(name, metadata=metadata, **known)


def failing_since(seconds: float, **known: Any) -> Failure:
    """The record of refreshes that have failed for so many seconds; the next try is in 12 s."""
    defaults = {"since": NOW - seconds, "at": NOW - 3, "retry_at": NOW + 12, "attempts": 7}
    return make_failure(**{**defaults, **known})


def make_report(**known: Any) -> RefreshReport:
    """The report of a refresh that ended ten seconds ago."""
    defaults: dict[str, Any] = {
        "at": NOW - 10,
        "resource": "/orgs/Netflix",
        "outcome": RefreshOutcome.UNCHANGED,
        "seconds": 0.25,
        "requests": 1,
        "not_modified": 1,
    }
    return RefreshReport(**{**defaults, **known})


def make_worker(**known: Any) -> WorkerView:
    """An idle refresher."""
    defaults: dict[str, Any] = {
        "name": "w1",
        "hostname": "box",
        "pid": 7,
        "state": "idle",
        "heard_at": NOW - 4,
        "started_at": NOW - 3600,
        "job": None,
        "done": 5,
        "failed": 0,
        "slots": 50,
    }
    return WorkerView(**{**defaults, **known})


def make_reader(**known: Any) -> ReaderReport:
    """A reader process that serves ninety of a hundred requests from memory."""
    defaults: dict[str, Any] = {
        "node": "box:5000",
        "pid": 11,
        "version": "1.0",
        "started_at": NOW - 60,
        "at": NOW - 1,
        "requests": 1000,
        "per_second": 20.0,
        "content": 100,
        "hits": 90,
        "local_entries": 4,
        "local_bytes": 2_000_000,
        "missing": 0,
    }
    return ReaderReport(**{**defaults, **known})


def make_budget(**known: Any) -> CredentialBudget:
    """The budget of a token with four fifths left, ten minutes before its reset."""
    defaults: dict[str, Any] = {
        "credential": "abc123",
        "resource_class": "core",
        "limit": 5000,
        "remaining": 4000,
        "resets_at": NOW + 600,
    }
    return CredentialBudget(**{**defaults, **known})


def make_fleet(*views: TrackedView, **known: Any) -> Fleet:
    """A healthy fleet: everything fresh, a reader, two idle refreshers."""
    one_org = replace(CATALOGUE, orgs=CATALOGUE.orgs[:1])
    everything = views or tuple(make_view(resource.name) for resource in one_org.tracked)
    workers = [make_worker(), make_worker(name="w2", pid=8)]
    return Fleet(
        **{
            "now": NOW,
            "tracked": everything,
            "workers": workers,
            "readers": [make_reader()],
            **known,
        }
    )


def make_page_input(fleet: Fleet | None = None, **known: Any) -> PageInput:
    """The page's input for a healthy fleet."""
    defaults: dict[str, Any] = {
        "now": NOW,
        "fleet": fleet or make_fleet(),
        "held": [make_view()],
        "away_since": None,
        "reader": "box:5000",
        "settings": make_settings(),
    }
    return PageInput(**{**defaults, **known})


def recorded(view: TrackedView, **known: Any) -> TrackedView:
    """The same resource with a record of refreshes."""
    return replace(view, record=Record(**{"last": make_report(), **known}))
