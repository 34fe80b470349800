"""Bringing programs from Debian's packages, with a stand-in for apt-get that touches nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import debian, python_packages, test_tools
from tests.waiting import eventually

# What apt-get is asked, and whether a policy is there meanwhile, for as long as it takes.
APT_GET = """#!/bin/sh
test -x "$POLICY" && policy=yes || policy=no
echo "$policy: $*" >> "$ASKED"
while test -e "$HOLD"; do sleep 0.02; done
case "$*" in
*download*) cp "$PACKAGE" . ;;
*update*) touch "$LISTS" ;;
esac
test -e "$LISTS"
"""
INSTALL = (
    "import sys; from pathlib import Path; from scripts import debian;"
    "debian.POLICY = Path(sys.argv[1]); sys.exit(not debian.install(['something']))"
)


class Machine:
    """A Debian, as far as it is looked at: a PATH, a policy, and what apt-get was asked."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.policy = folder / "sbin" / "policy-rc.d"
        self.asked_file = folder / "asked"
        self.lists = folder / "lists"
        self.hold = folder / "hold"
        self.package = folder / "package.deb"
        for made in (self.bin, self.policy.parent):
            made.mkdir()
        self.lists.touch()
        self.program("apt-get", APT_GET)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "POLICY": str(self.policy),
            "ASKED": str(self.asked_file),
            "LISTS": str(self.lists),
            "HOLD": str(self.hold),
            "PACKAGE": str(self.package),
        }

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def asked(self) -> list[str]:
        """What apt-get was asked so far: whether there was a policy, and the last words."""
        lines = self.asked_file.read_text().splitlines() if self.asked_file.exists() else []
        return [f"{line.split(': ')[0]} {line.split()[-1]}" for line in lines]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(debian, "POLICY", made.policy)
    monkeypatch.setattr(python_packages, "unpack", lambda *_: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return made


def test_no_service_is_started_while_something_is_installed(machine: Machine) -> None:
    assert debian.install(["something"])
    assert machine.asked() == ["yes something"]
    assert not machine.policy.exists()


def test_a_policy_of_the_machines_own_is_left_alone(machine: Machine) -> None:
    machine.policy.write_text("#!/bin/sh\nexit 0\n")
    assert debian.install(["something"])
    assert machine.policy.read_text() == "#!/bin/sh\nexit 0\n"


def test_old_package_lists_are_renewed_once(machine: Machine) -> None:
    machine.lists.unlink()
    assert debian.install(["something"])
    assert machine.asked() == ["yes something", "yes update", "yes something"]


def test_two_runs_at_once_do_not_take_away_each_others_policy(machine: Machine) -> None:
    machine.hold.touch()
    command = [sys.executable, "-c", INSTALL, str(machine.policy)]
    both = [subprocess.Popen(command, env=machine.environment) for _ in range(2)]
    eventually(lambda: machine.asked() == ["yes something"])
    machine.hold.unlink()
    assert [one.wait(timeout=30) for one in both] == [0, 0]
    assert machine.asked() == ["yes something", "yes something"]
    assert not machine.policy.exists()


def test_the_policy_of_a_run_that_was_killed_goes_with_the_next_one(machine: Machine) -> None:
    machine.hold.touch()
    command = [sys.executable, "-c", INSTALL, str(machine.policy)]
    killed = subprocess.Popen(command, env=machine.environment)
    eventually(lambda: machine.asked() == ["yes something"])
    killed.kill()
    killed.wait()
    machine.hold.unlink()
    assert machine.policy.exists()
    assert debian.install(["something"])
    assert not machine.policy.exists()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="NO PACKAGE CAN BE MADE: no dpkg-deb")
def test_one_program_is_taken_out_of_a_package_and_nothing_else(
    machine: Machine, tmp_path: Path
) -> None:
    content = tmp_path / "content"
    for name in ("DEBIAN", "usr/bin", "lib/systemd/system"):
        (content / name).mkdir(parents=True)
    (content / "DEBIAN/control").write_text(
        "Package: something\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.com>\n"
        "Description: something\n"
    )
    (content / "lib/systemd/system/something.service").write_text("[Service]\n")
    (content / "usr/bin/tool").write_text("#!/bin/sh\necho works\n")
    (content / "usr/bin/tool").chmod(0o755)
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", content, machine.package],
        check=True,
        capture_output=True,
    )
    folder = tmp_path / "own"
    folder.mkdir()
    assert debian.unpack("something", "usr/bin/tool", folder)
    assert [path.name for path in folder.iterdir()] == ["tool"]
    assert subprocess.check_output([folder / "tool"], text=True) == "works\n"
    assert not debian.unpack("something", "usr/bin/another", folder)


def test_a_failed_installation_is_no_error(machine: Machine, tmp_path: Path) -> None:
    machine.program("apt-get", "#!/bin/sh\nexit 100\n")
    assert not debian.install(["something"])
    assert not debian.unpack("something", "usr/bin/tool", tmp_path)


def test_only_root_installs(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(test_tools, "find", lambda _: None)
    assert test_tools.main() == 0
    assert machine.asked() == []
    assert "No Chromium: only root may install; the tests of pages will be skipped" in (
        capsys.readouterr().out
    )


def test_one_line_says_what_is_installed_and_one_what_cannot_be(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.program("apt-get", "#!/bin/sh\nexit 100\n")
    monkeypatch.setattr(test_tools, "find", lambda _: None)
    monkeypatch.setattr(test_tools, "_FONTS", ())
    assert test_tools.main() == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "Installing chromium and fonts-dejavu-core with apt-get, for the tests of pages (once)",
        "No Chromium: apt-get could not install it; the tests of pages will be skipped",
    ]


def test_if_nothing_is_missing_nothing_is_printed_or_done(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(test_tools, "find", lambda program: machine.bin / program)
    (machine.bin / "plain.ttf").touch()
    monkeypatch.setattr(test_tools, "_FONTS", (str(machine.bin),))
    monkeypatch.setattr(test_tools, "_CLIENTS", ())
    assert test_tools.main() == 0
    assert capsys.readouterr().out == ""
    assert machine.asked() == []
