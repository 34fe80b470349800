"""systemd takes the units in `deploy/systemd`, and they keep what processes promise."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.end_to_end.fleet import procfile
from tests.shipping.environment import DEADLINE, GRACE, KINDS, ROOT, program, run

SYSTEMD = ROOT / "deploy" / "systemd"
SYSTEMD_EXPOSURE = 20  # of 100, which is a service without any protection


def units() -> list[str]:
    return sorted(file.name for file in SYSTEMD.iterdir())


def unit(kind: str) -> dict[str, list[str]]:
    """What stands in the unit of a kind of process, by name."""
    (file,) = SYSTEMD.glob(f"api-read-cache-{kind}*.service")
    lines = [line for line in file.read_text().splitlines() if line[:1] not in {"", "#", "["}]
    found: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> list[Path]:
    """The units, as if this checkout were where they look for it."""
    made = []
    for name in units():
        text = (SYSTEMD / name).read_text()
        text = text.replace("/opt/api-read-cache/.venv/bin", str(Path(sys.executable).parent))
        file = tmp_path / name
        file.write_text(text.replace("/opt/api-read-cache", str(ROOT)))
        made.append(file)
    return made


def test_systemd_finds_nothing_wrong_with_the_units(installed: list[Path]) -> None:
    verified = run(program("systemd-analyze", "UNIT OF SYSTEMD"), "verify", *installed)
    assert verified.returncode == 0, verified.stderr
    assert "api-read-cache" not in verified.stderr, "not even a warning"


def test_systemd_holds_the_units_to_be_well_protected(installed: list[Path]) -> None:
    analyze = program("systemd-analyze", "PROTECTION BY SYSTEMD")
    if "--offline" not in run(analyze, "--help").stdout:
        pytest.skip("NO PROTECTION BY SYSTEMD IS CHECKED HERE: it is older than 250")
    options = ["security", "--offline=yes", f"--threshold={SYSTEMD_EXPOSURE}", "--no-pager"]
    for file in installed:
        if file.suffix == ".service":
            judged = run(analyze, *options, file)
            assert judged.returncode == 0, judged.stdout + judged.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_systemd_runs_what_the_procfile_runs(kind: str) -> None:
    (command,) = unit(kind)["ExecStart"]
    assert shlex.split(command.removeprefix("/opt/api-read-cache/.venv/bin/")) == procfile()[kind]
    assert unit(kind)["EnvironmentFile"] == [
        "/etc/api-read-cache/common.env",
        f"-/etc/api-read-cache/{kind}.env",
    ]
    assert unit(kind)["PartOf"] == unit(kind)["WantedBy"] == ["api-read-cache.target"]


def test_systemd_waits_longer_than_processes_take_to_end() -> None:
    assert int(unit("reader")["TimeoutStopSec"][0]) > GRACE
    assert int(unit("refresher")["TimeoutStopSec"][0]) > DEADLINE
    # Else SIGTERM ends the refresh under way, too.
    assert unit("reader")["KillMode"] == unit("refresher")["KillMode"] == ["mixed"]


def test_the_target_begins_a_whole_fleet() -> None:
    target = (SYSTEMD / "api-read-cache.target").read_text()
    wanted = " ".join(re.findall(r"^Wants=(.*)", target, re.MULTILINE)).split()
    assert sorted(wanted) == [
        "api-read-cache-reader.service",
        "api-read-cache-refresher@1.service",
        "api-read-cache-refresher@2.service",
        "api-read-cache-scheduler.service",
    ]
