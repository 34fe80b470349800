"""A service of `compose.yaml` as a container: its command, environment, limits and health check.

Its networks are left out: all containers have this machine's. `docker compose` itself is not there.
"""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.image.containers import Confinement, Container
from tests.image.images import Image
from tests.image.interpolation import interpolated
from tests.shipping.compose import service
from tests.shipping.environment import ROOT, seconds

DOCKERS_SHARED_MEMORY = "64m"


class Service:
    """A service, of which containers can be started.

    Args:
        name: its name in `compose.yaml`.
        given: the variables that a person has set for Compose.
        volumes: folders of this machine for the volumes that the service names.
    """

    def __init__(self, name: str, given: Mapping[str, str], volumes: Mapping[str, Path]) -> None:
        self._service: dict[str, Any] = interpolated(service(name), given)
        assert "${" not in str(self._service), "only what Compose itself would replace"
        self._volumes = volumes

    @property
    def replicas(self) -> int:
        """How many containers Compose starts."""
        return int(self._service.get("deploy", {}).get("replicas", 1))

    @property
    def health_check(self) -> list[str] | None:
        """The service's own; None for the image's, if it has one."""
        found: list[str] | None = self._service.get("healthcheck", {}).get("test")
        return found

    @property
    def is_checked(self) -> bool:
        """Whether health is checked at all."""
        return not self._service.get("healthcheck", {}).get("disable", False)

    @property
    def stop_grace_period(self) -> int:
        """Seconds after the stop signal until it is killed."""
        return seconds(self._service["stop_grace_period"])

    def container(
        self, image: Image, folder: Path, mounts: Mapping[str, Path], **environment: str
    ) -> Container:
        """A container of the service.

        Args:
            image: what is pulled or built for it.
            folder: for its description and its output.
            mounts: files that a test puts in.
            environment: variables that a test changes.
        """
        command = self._service.get("command")
        words = shlex.split(command) if isinstance(command, str) else command
        signal = self._service.get("stop_signal", image.config.get("StopSignal"))
        return Container(
            replace(image, config={**image.config, "StopSignal": signal}),
            folder,
            words,
            environment={**self._service.get("environment", {}), **environment},
            confinement=self._confinement(mounts),
        )

    def _confinement(self, mounts: Mapping[str, Path]) -> Confinement:
        user, group = map(int, self._service["user"].split(":"))
        tmpfs = dict(one.split(":", 1) for one in self._service["tmpfs"])
        size = self._service.get("shm_size", DOCKERS_SHARED_MEMORY)
        shared = ["nosuid", "noexec", "nodev", "mode=1777", f"size={size}"]
        return Confinement(
            (user, group),
            read_only=self._service["read_only"],
            tmpfs={place: one.split(",") for place, one in tmpfs.items()} | {"/dev/shm": shared},
            mounts={**self._mounted_volumes(), **mounts},
        )

    def _mounted_volumes(self) -> dict[str, Path]:
        found = {}
        for one in self._service.get("volumes", []):
            source, place, *_ = one.split(":")
            found[place] = ROOT / source if source.startswith(".") else self._volumes[source]
        return found
