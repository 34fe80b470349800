"""REDbot, which checks HTTP for a living, finds nothing wrong with any kind of answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess

PROGRAM = Path(sys.executable).with_name("redbot")
# What REDbot warns of, and why it is so all the same.
EXPLAINED = {
    # `Date` is when this answer was made, and `Age` how old its content is, as a CDN does it. It is
    # the server's field: under a WSGI server, which adds its own, we could not take GitHub's.
    "AGE_PENALTY",
    # GitHub clients send `Authorization`; shared caches may keep such answers only with `public`.
    "STORE_PUBLIC_UNNECESSARY",
    # A 404 is never a 304 (RFC 9110 section 13.2.1).
    "INM_FULL",
    "IMS_FULL",
}
NOT_FOUND = {"INM_FULL", "IMS_FULL"}


@pytest.mark.skipif(not PROGRAM.exists(), reason="REDBOT IS NOT INSTALLED: answers are unchecked")
def test_redbot_finds_nothing_that_is_not_explained(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url) as fleet:
        fleet.worker()
        reader = fleet.healthy_reader()
        found = {
            path: _warnings(reader.url + path)
            for path in (
                "/orgs/Netflix",
                "/orgs/Netflix/repos",
                "/orgs/Netflix/repos?page=2&per_page=50",
                "/view/top/3/stars",
                "/users/netflix",
                "/healthcheck",
                "/nope",
                "/repos/netflix/not-there",
            )
        }
    missing = found.pop("/repos/netflix/not-there")
    assert set(missing) <= EXPLAINED, missing
    for path, warnings in found.items():
        assert set(warnings) <= EXPLAINED - NOT_FOUND, (path, warnings)


def _warnings(url: str) -> dict[str, str]:
    """What REDbot warns of or calls bad, by its name for it."""
    output = subprocess.run(
        [str(PROGRAM), "-o", "har", url], check=True, capture_output=True, timeout=60
    ).stdout
    entries = json.loads(output)["log"]["entries"]
    notes = [note for entry in entries for note in entry["_red_messages"]]
    assert notes, "REDbot had nothing to say at all"
    return {note["note_id"]: note["summary"] for note in notes if note["level"] in {"WARN", "BAD"}}
