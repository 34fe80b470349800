"""`make demo`: the whole system against a stand-in GitHub, with no network and no token.

The stand-in has one organisation of 250 repositories and 130 members; a repository gains a star
every few seconds.
"""

import os
import signal
import subprocess
import sys
import tempfile

from scripts.running import ROOT

_ADMIN = "demo-admin-token"  # printed at the start
_STARTED = "listening on "


def main() -> int:
    """Run until stopped."""
    github = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.fakegithub", "--port", "0", "--churn", "5"),
            *("--anonymous-limit", "1000000", "--exit-with-stdin"),
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,  # closed with us, however we end
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert github.stdout is not None
        url = github.stdout.readline().strip().removeprefix(_STARTED)
        if not url:
            return 1
        print(f"Stand-in GitHub: {url}", flush=True)
        environment = {"CACHE_TTL": "10", "ADMIN_TOKEN": _ADMIN, **os.environ}
        environment["GITHUB_API_URL"] = url
        print(f"Admin token for /status: {environment['ADMIN_TOKEN']}", flush=True)
        # Content from the stand-in must not be stored where GitHub's content is expected later.
        for name in ("GITHUB_API_TOKEN", "REDIS_URL", "ORGS", "TRACK"):
            environment[name] = ""
        with tempfile.TemporaryDirectory(prefix="api-read-cache-demo-") as data:
            command = [sys.executable, "-m", "scripts.run", "--data", data]
            run = subprocess.Popen(command, cwd=ROOT, env=environment)
            signal.signal(signal.SIGTERM, lambda *_: run.terminate())
            return _wait(run)
    finally:
        github.terminate()
        github.wait()


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process that ends by itself on Ctrl-C, which reaches this process too."""
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


if __name__ == "__main__":
    sys.exit(main())
