"""`make bench-large`: time, memory and traffic of refreshing a list of 250 and of 7,000 items.

Each refresh is `refresher.jobs.refresh` in a process of its own, as a work horse runs it, with a
real Redis and a stand-in GitHub. Seconds depend on the machine; their ratio is what counts.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scripts.embedded_redis import EmbeddedRedis
from tests.fakegithub.client import FakeGitHubProcess

CHECKOUT = Path(__file__).resolve().parents[1]
SIZES = (250, 7000)

_REFRESH = """
import json, resource, time
from refresher.jobs import refresh
begun, idle = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outcome = refresh("/orgs/Netflix/repos", force=True)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([outcome, time.monotonic() - begun, idle / 1024, peak / 1024]))
"""


def measure(repositories: int) -> list[str]:
    """The rows of one size: cold, unchanged, with one change."""
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(Path(folder)) as redis,
        FakeGitHubProcess(
            repos=repositories, members=1, viewers={"*": {"role": "stranger", "scopes": ""}}
        ) as github,
    ):
        environment = {
            **os.environ,
            "REDIS_URL": redis.url,
            "GITHUB_API_URL": github.url,
            "GITHUB_API_TOKEN": "ghp_bench",
        }
        _refresh(environment)
        _refresh(environment)  # the first check behind a full last page
        rows = [_row("unchanged", repositories, github, environment)]
        github.mutate("star", repo=repositories // 2)
        rows.append(_row("one change", repositories, github, environment))
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedRedis(Path(folder)) as redis,
        FakeGitHubProcess(
            repos=repositories, members=1, viewers={"*": {"role": "stranger", "scopes": ""}}
        ) as github,
    ):
        environment |= {"REDIS_URL": redis.url, "GITHUB_API_URL": github.url}
        return [_row("cold", repositories, github, environment), *rows]


def _row(
    what: str, repositories: int, github: FakeGitHubProcess, environment: dict[str, str]
) -> str:
    github.reset_counters()
    outcome, seconds, idle, peak = _refresh(environment)
    counters = github.counters()
    return (
        f"{repositories:>12} {what:12} {outcome:10}{seconds:>8.2f}{idle:>10.0f}{peak:>10.0f}"
        f"{counters['total']:>10}{counters['points']:>8}{counters['bytes_sent'] / 1e6:>9.2f}"
    )


def _refresh(environment: dict[str, str]) -> list[Any]:
    command = [sys.executable, "-c", _REFRESH]
    output = subprocess.run(command, env=environment, cwd=CHECKOUT, check=True, capture_output=True)
    found: list[Any] = json.loads(output.stdout)
    return found


def main() -> int:
    """Print the table."""
    print(
        f"{'repositories':>12} {'':12} {'outcome':10}{'seconds':>8}{'MB before':>10}{'MB peak':>10}"
        f"{'requests':>10}{'points':>8}{'MB sent':>9}"
    )
    for size in SIZES:
        print("\n".join(measure(size)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
