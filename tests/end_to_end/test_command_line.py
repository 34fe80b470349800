"""The command line beside a real fleet."""

import json
import os
import pty
import re
import subprocess
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from reader.fleet.workers import workers
from shared.redis import keys
from tests.builders import tracked
from tests.end_to_end.fleet import CHECKOUT, Fleet, Reader, Running
from tests.end_to_end.up_to_date import await_up_to_date
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

MEMBERS, REPOS = tracked("/orgs/Netflix/members"), tracked("/orgs/Netflix/repos")


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    with Fleet(tmp_path, github.url, CACHE_TTL=600) as made:
        yield made


def on_a_terminal(fleet: Fleet, columns: int, *arguments: str) -> str:
    """What a command shows on a terminal of so many columns, colours and all."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (40, columns))
    process = subprocess.Popen(
        ["flask", "--app", "reader", "cache", *arguments],
        cwd=CHECKOUT,
        env=fleet.environment(TERM="xterm-256color"),
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    shown = bytearray()
    with suppress(OSError):  # Linux's way of saying that nobody holds the other end
        while read := os.read(ours, 4096):
            shown += read
    os.close(ours)
    assert process.wait(60) == 0, shown
    return shown.decode()


def at_work(fleet: Fleet, count: int) -> list[Running]:
    """Refreshers that have begun: commands do not wait for those that are about to."""
    started = [fleet.worker() for _ in range(count)]
    with fleet.redis() as redis:
        eventually(lambda: len(workers(redis)) == count, what="the refreshers have begun")
    return started


def asked(fleet: Fleet, *arguments: str) -> Any:
    """What a command says as JSON, which has to succeed."""
    ended = fleet.cache(*arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def is_held(reader: Reader, path: str) -> bool:
    """Whether a reader has something in memory."""
    return "detail=local" in reader.get(path).headers["Cache-Status"]


def test_a_new_deployment_is_warmed_and_found_well(fleet: Fleet) -> None:
    at_work(fleet, 2)
    ended = fleet.cache("warm", "--timeout", "150")
    assert ended.returncode == 0, ended.stderr
    assert "/orgs/Netflix/repos: updated: new content was stored" in ended.stdout
    assert {row["state"] for row in asked(fleet, "list")} == {"fresh"}
    shown = asked(fleet, "show", "/orgs/Netflix/repos")
    assert (shown["metadata"]["items"], shown["reports"][0]["pages"]) == (250, 3)
    assert fleet.cache("doctor").returncode == 0


def test_what_is_refreshed_and_forgotten_is_so_in_the_readers(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    fleet.worker()
    reader = fleet.healthy_reader()
    github.mutate("star", repo=3, by=77)
    assert fleet.cache("refresh", "/orgs/Netflix/repos").returncode == 0
    await_up_to_date(github, reader)

    assert reader.get("/users/netflix").ok
    eventually(lambda: is_held(reader, "/users/netflix"))
    before = github.page_requests("/users/netflix")
    assert fleet.cache("purge", "/users/netflix").returncode == 0
    assert "/users/netflix" not in {row["name"] for row in asked(fleet, "list")}
    # Nobody has it any more: who asks gets it from GitHub anew.
    assert github.page_requests("/users/netflix") == before
    eventually(lambda: not is_held(reader, "/users/netflix"))
    assert github.page_requests("/users/netflix") == before + 1


def test_a_list_fits_the_terminal(fleet: Fleet, github: FakeGitHubProcess) -> None:
    fleet.worker()
    reader = fleet.healthy_reader()
    long = f"/repos/netflix/{'r' * 60}/contributors"
    assert reader.get(long).status_code == 404  # which is held for a while, as well
    github.fault("status", status=502)
    assert fleet.cache("refresh", "/orgs/Netflix").returncode == 1
    for columns in (80, 120):
        shown = on_a_terminal(fleet, columns, "list")
        assert "\x1b[" in shown
        lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
        assert max(map(len, lines)) <= columns
        (row,) = [line for line in lines if line.startswith("/repos/netflix/rrr")]
        assert re.match(r"/repos/netflix/r+…r*/contributors +fresh 404 ", row)
        named = (line for line in lines if line.startswith("/orgs/Netflix "))
        (failing,) = [line for line in named if "failing" in line]
        assert " 1.09 kB" in failing


def test_warming_shows_bars_on_a_terminal_and_lines_elsewhere(fleet: Fleet) -> None:
    at_work(fleet, 1)
    bars = on_a_terminal(fleet, 80, "warm", "--timeout", "150")
    assert "━━━━" in bars
    assert "4 tracked resources fresh." in bars
    lines = fleet.cache("warm", "--force", "--timeout", "150").stdout
    assert sorted(lines.splitlines()) == [
        "/: unchanged at GitHub",
        "/orgs/Netflix/members: unchanged at GitHub",
        "/orgs/Netflix/repos: unchanged at GitHub",
        "/orgs/Netflix: unchanged at GitHub",
        "4 tracked resources fresh.",
    ]


def test_large_lists_that_wait_for_each_other_are_all_refreshed_by_force(
    fleet: Fleet, github: FakeGitHubProcess
) -> None:
    """A refresher with few slots does one large list after the other."""
    refresher = fleet.worker(REFRESH_CONCURRENCY=2)
    fleet.healthy_reader()
    assert fleet.cache("warm", "--timeout", "150").returncode == 0
    github.fault("slow", delay=1)
    with fleet.redis() as redis:
        redis.sadd(keys.LARGE, MEMBERS.id, REPOS.id)
    ended = fleet.cache("warm", "--force", "--timeout", "150")
    assert ended.returncode == 0, ended.stderr
    ends = {
        REPOS.name: "Netflix/repos: unchanged",
        MEMBERS.name: "Netflix/members: unchanged",
    }
    assert all(end in refresher.output for end in ends.values())


def test_while_github_fails_commands_say_so(fleet: Fleet, github: FakeGitHubProcess) -> None:
    fleet.worker()
    fleet.healthy_reader()
    github.fault("status", status=502)
    refreshed = fleet.cache("refresh", "/orgs/Netflix")
    assert refreshed.returncode == 1
    assert "/orgs/Netflix: failed: GitHub answered 502" in refreshed.stdout
    assert "failing" in fleet.cache("show", "/orgs/Netflix").stdout
    # Refreshers write what they count once a second.
    assert eventually(lambda: "it responded 502" in fleet.cache("doctor").stdout)
    doctor = fleet.cache("doctor")
    assert "GitHub is failing" in doctor.stdout
    assert doctor.returncode == 0  # everything is served
    warmed = fleet.cache("warm", "--force", "--timeout", "150")
    assert warmed.returncode == 1
    assert "/orgs/Netflix: failed: GitHub answered 502" in warmed.stdout
    assert warmed.stderr == (
        "Failed: /, /orgs/Netflix, /orgs/Netflix/members, /orgs/Netflix/repos\n"
    )
    github.clear_faults()
    assert fleet.cache("refresh", "/orgs/Netflix").returncode == 0


def test_without_content_or_refreshers_the_doctor_sees_problems(fleet: Fleet) -> None:
    found = fleet.cache("doctor", "--json")
    assert found.returncode == 1
    problems = {one["about"] for one in json.loads(found.stdout) if one["verdict"] == "problem"}
    assert problems == {"refreshers", "content"}
    refreshed = fleet.cache("refresh", "/orgs/Netflix")
    assert refreshed.returncode == 1
    assert refreshed.stderr.startswith("Error: It is queued, but no refresher is running")


def test_without_redis_or_with_a_bad_setting_one_line_says_so(fleet: Fleet) -> None:
    fleet.redis_server.stop()
    for arguments in (["list"], ["warm"], ["pause"]):
        ended = fleet.cache(*arguments)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr == "Error: Redis does not respond (ConnectionError)\n"
    doctor = fleet.cache("doctor")
    assert doctor.returncode == 1
    assert "Redis does not respond" in doctor.stdout
    assert "Traceback" not in doctor.stderr
    ended = fleet.cache("list", CACHE_TTL="soon")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "CACHE_TTL=soon" in ended.stderr


def test_help_is_given(fleet: Fleet) -> None:
    said = fleet.cache("--help").stdout
    for command in ("list", "show", "refresh", "purge", "warm", "pause", "resume", "doctor"):
        assert f"\n  {command} " in said
