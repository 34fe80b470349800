"""What the tests of everything that is shipped for an environment share."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from refresher.worker import PATIENCE
from scripts.debian import find
from shared.settings import REFRESHERS_ONLY, Settings

ROOT = Path(__file__).resolve().parents[2]
HAPROXY = ROOT / "deploy" / "haproxy" / "haproxy.cfg"
KINDS = ["reader", "refresher", "scheduler"]
SECRETS = {
    *REFRESHERS_ONLY,
    *("CACHE_PASSWORD", "GITHUB_WEBHOOK_SECRET", "ADMIN_TOKEN"),
}
# Seconds that a reader takes to end: clients wait for content, and gunicorn gives them some more
# (gunicorn.conf.py).
GRACE = float(Settings.model_fields["miss_wait"].default) + 5
# Seconds after SIGTERM within which a refresher has ended, and a margin for its last writes.
DEADLINE = PATIENCE + 5


def program(name: str, nothing: str) -> Path:
    """Where a program is; skip where there is none."""
    found = find(name)
    if found is None:
        pytest.skip(f"NO {nothing} IS CHECKED HERE: {name} is not installed")
    return found


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever that is."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, **options
    )


def seconds(written: str) -> int:
    """Compose's, systemd's and HAProxy's whole seconds."""
    return int(written.removesuffix("s"))
