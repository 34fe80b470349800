"""A bad setting stops every process at once, with one line that names it."""

from pathlib import Path

import pytest

from tests.end_to_end.fleet import Fleet, procfile, run

COMMANDS = {
    "reader": procfile()["reader"],
    "refresher": procfile()["refresher"],
    "make run": ["python", "-m", "scripts.run"],
}
BAD = {
    "CACHE_TTL": "abc",
    "REDIS_URL": "foo",
    "PORT": "99999",
    "ORGS": "not/an/org",
    "TRACK": "/users/octocat,/nonsense",
    "GITHUB_API_TOKEN": "two words",
    "ADMIN_TOKEN": "15-characters-x",
}


# Readers take no notice of what is the refreshers' alone.
CASES = [
    (process, name)
    for process in COMMANDS
    for name in BAD
    if (process, name) != ("reader", "GITHUB_API_TOKEN")
]


@pytest.mark.parametrize(("process", "name"), CASES)
def test_a_bad_setting_stops_the_process_in_one_line(
    process: str, name: str, tmp_path: Path
) -> None:
    environment = Fleet(tmp_path, "http://127.0.0.1:9").environment(**{name: BAD[name]})
    ended = run(COMMANDS[process], environment, tmp_path)
    assert ended.returncode != 0
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert name in line
    assert "two words" not in line
    assert "15-characters-x" not in line
