"""Containers of an image, run by runc without a daemon."""

import json
import os
import resource
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Self

from scripts.embedded_redis import free_port
from tests.image.commands import CommandError, run
from tests.image.images import Image


@dataclass(frozen=True)
class Confinement:
    """What a container may do.

    user: its user and group.
    read_only: whether its root cannot be written to.
    tmpfs: folders in memory, with the options of the mount.
    mounts: files and folders of this machine, by their places in the container.
    network: a network namespace of this machine; None for the machine's own network.
    """

    user: tuple[int, int]
    read_only: bool = True
    tmpfs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(default_factory=dict)
    network: Path | None = None


class Container:
    """A process in a container; it is killed at the end of the block.

    Args:
        image: what it is made of.
        folder: for its description and its output, in a folder of their own.
        command: what it runs; the image's own command if None.
        environment: variables in addition to the image's.
        confinement: what it may do.
    """

    def __init__(
        self,
        image: Image,
        folder: Path,
        command: Sequence[str] | None = None,
        *,
        environment: Mapping[str, str],
        confinement: Confinement,
    ) -> None:
        self._image = image
        self._folder = Path(mkdtemp(dir=folder))
        self._name = f"api-read-cache-test-{os.getpid()}-{free_port()}"
        self._log = self._folder / "log"
        self._environment = {**image.environment, **environment}
        self._confinement = confinement
        self._command = list(command or image.config["Cmd"])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def __enter__(self) -> Self:
        run("runc", "spec", folder=self._folder)
        file = self._folder / "config.json"
        file.write_text(json.dumps(self._described(json.loads(file.read_text()))))
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [*self._runc(), "run", "--bundle", self._folder, self._name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        assert self._process
        if self._process.poll() is None:
            run(*self._runc(), "delete", "--force", self._name)
            self._process.wait(timeout=30)
        if kind is not None:
            print(f"--- {self._command}\n{self.output[-6000:]}")

    def succeeds(self, *command: str) -> bool:
        """Whether a command that runs in the container ends with status 0.

        Raises:
            AssertionError: the container has ended.
        """
        assert self._process
        assert self._process.poll() is None, self.output
        try:
            self.run(*command)
        except CommandError:
            return False
        return True

    def run(self, *command: str) -> str:
        """Run a command in the container, and return its standard output.

        Raises:
            CommandError: it has failed.
        """
        return run(*self._runc(), "exec", self._name, *command)

    def is_healthy(self, check: Sequence[str] | None = None) -> bool:
        """The verdict of a health check in Docker's form; of the image's own if None."""
        form, *command = check or self._image.config["Healthcheck"]["Test"]
        if form == "CMD-SHELL":
            return self.succeeds("sh", "-c", *command)
        assert form == "CMD"
        return self.succeeds(*command)

    def end(self, *, within: float) -> int:
        """Send the image's stop signal, and return the exit status.

        Raises:
            subprocess.TimeoutExpired: it has not ended within so many seconds.
        """
        assert self._process
        run(*self._runc(), "kill", self._name, self._image.config.get("StopSignal") or "SIGTERM")
        return self._process.wait(timeout=within)

    def _runc(self) -> list[str]:
        return ["runc", "--root", str(self._folder / "state")]

    def _described(self, spec: dict[str, Any]) -> dict[str, Any]:
        """The container in the form of the Open Container Initiative, from runc's own example."""
        allowed = self._confinement
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        spec["root"] = {"path": str(self._image.root), "readonly": allowed.read_only}
        spec["hostname"] = self._name
        spec["process"] |= {
            "terminal": False,
            "user": {"uid": allowed.user[0], "gid": allowed.user[1]},
            "args": self._command,
            "env": [f"{name}={value}" for name, value in self._environment.items()],
            "cwd": self._image.config.get("WorkingDir") or "/",
            "noNewPrivileges": True,
            "capabilities": {},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": most, "soft": most}],
        }
        spec["mounts"] += [
            {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": [*options]}
            for place, options in allowed.tmpfs.items()
        ] + [
            {"destination": place, "source": str(source), "options": ["bind"]}
            for place, source in allowed.mounts.items()
        ]
        spec["linux"]["namespaces"] = [
            one for one in spec["linux"]["namespaces"] if one["type"] != "network"
        ]
        if allowed.network is not None:
            network = {"type": "network", "path": str(allowed.network)}
            spec["linux"]["namespaces"].append(network)
        return spec
