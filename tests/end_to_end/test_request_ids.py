"""A client's request is found again in the log line of the refresh that it caused."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.fleet import Fleet, Running
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

ID = "abc-123"


def lines(process: Running) -> list[dict[str, Any]]:
    """What a process logged: each line is an object; the last one may not be complete yet."""
    return [json.loads(line) for line in process.output.split("\n")[:-1]]


def refreshes(process: Running, resource: str) -> list[dict[str, Any]]:
    """The lines of refreshes of a resource that asked GitHub."""
    return [
        line
        for line in lines(process)
        if line["logger"] == "refresher" and line.get("resource") == resource and line["requests"]
    ]


@pytest.mark.parametrize("is_flask_alone", [False, True], ids=["front", "Flask alone"])
def test_a_miss_is_known_by_its_id_from_the_client_to_the_refresher(
    tmp_path: Path, github: FakeGitHubProcess, *, is_flask_alone: bool
) -> None:
    with Fleet(tmp_path, github.url, ACCESS_LOG=1) as fleet:
        worker = fleet.worker()
        reader = fleet.flask_reader() if is_flask_alone else fleet.reader()
        eventually(reader.is_healthy)
        answer = reader.get("/users/netflix", headers={"X-Request-Id": ID})
        assert (answer.status_code, answer.headers["X-Request-Id"]) == (200, ID)

        (refresh,) = eventually(lambda: refreshes(worker, "/users/netflix"))
        assert refresh["request_id"] == ID
        assert refresh["event"] == "refresh of /users/netflix: updated"
        assert refresh["level"] == "info"
        assert (refresh["outcome"], refresh["requests"], refresh["status"]) == ("updated", 1, 200)
        assert refresh["job_id"]
        # What readers ask for by themselves is in nobody's name.
        assert all("request_id" not in line for line in refreshes(worker, "/orgs/Netflix/repos"))

        # And the reader's own line of the request has it, beside those of all others.
        accesses = eventually(
            lambda: [line for line in lines(reader) if line.get("path") == "/users/netflix"]
        )
        assert [(line["request_id"], line["served"]) for line in accesses] == [(ID, "waited")]
        assert accesses[0]["logger"] == "reader.access"


def test_what_a_hit_finds_stale_is_renewed_in_its_name(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, ON_DEMAND_TTL=0.5) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        assert reader.get("/users/netflix", headers={"X-Request-Id": "first"}).status_code == 200

        def is_renewed() -> bool:
            answer = reader.get("/users/netflix", headers={"X-Request-Id": ID})
            assert (answer.status_code, answer.headers["X-Request-Id"]) == (200, ID)
            return len(refreshes(worker, "/users/netflix")) > 1

        eventually(is_renewed)
        first, second, *_ = refreshes(worker, "/users/netflix")
        assert (first["request_id"], second["request_id"]) == ("first", ID)
        assert second["outcome"] == "unchanged"


def test_a_plain_rq_worker_writes_the_same_lines(tmp_path: Path, github: FakeGitHubProcess) -> None:
    with Fleet(tmp_path, github.url) as fleet:
        worker = fleet.plain_worker()
        reader = fleet.healthy_reader()
        assert reader.get("/users/netflix", headers={"X-Request-Id": ID}).status_code == 200

        def written() -> list[dict[str, Any]]:
            ours = (line for line in worker.output.split("\n")[:-1] if line.startswith("{"))
            return [line for line in map(json.loads, ours) if line.get("request_id") == ID]

        (refresh,) = eventually(written)
        assert (refresh["resource"], refresh["outcome"]) == ("/users/netflix", "updated")
