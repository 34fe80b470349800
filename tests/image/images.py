"""Images in a store of the tests' own, built by buildah without a daemon."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.image.commands import run


@dataclass(frozen=True)
class Image:
    """A built image: the files of its root, and its configuration in Docker's form."""

    root: Path
    config: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image sets."""
        return dict(pair.split("=", 1) for pair in self.config["Env"])


class Store:
    """A store of images in a folder; nothing is written elsewhere. The block's end unmounts all."""

    def __init__(self, folder: Path) -> None:
        self._options = (
            *("--root", str(folder / "store"), "--runroot", str(folder / "run")),
            *("--storage-driver", "overlay"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._buildah("rm", "--all")

    def add(self, name: str, root: Path) -> None:
        """Make an image of a root file system."""
        container = self._buildah("from", "scratch")
        self._buildah("add", "--quiet", container, str(root), "/")
        self._buildah("commit", "--quiet", container, name)
        self._buildah("rm", container)

    def build(self, name: str, context: Path, **arguments: str) -> None:
        """Build an image from the `Dockerfile` of a folder, with build arguments."""
        given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        self._buildah(
            *("build", "--isolation=chroot", "--format=docker", "--pull-never"),
            *(*given, "--tag", name, str(context)),
            within=300,
        )

    def install(self, name: str, base: str, *packages: str) -> None:
        """Make an image of another one and packages of Debian, whose services are not started."""
        container = self._buildah("from", "--pull-never", base)
        policy = r"printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d"
        policy += " && chmod +x /usr/sbin/policy-rc.d"
        install = f"apt-get install --yes --no-install-recommends {' '.join(packages)}"
        script = f"{policy} && apt-get update && DEBIAN_FRONTEND=noninteractive {install}"
        shell = ("--", "sh", "-c", script)
        self._buildah("run", "--isolation=chroot", container, *shell, within=300)
        self._buildah("commit", "--quiet", container, name)
        self._buildah("rm", container)

    def image(self, name: str) -> Image:
        """An image of the store, its files in a folder that containers may share."""
        container = self._buildah("from", "--pull-never", name)
        root = Path(self._buildah("mount", container))
        described = json.loads(self._buildah("inspect", "--type=image", name))
        return Image(root, described["Docker"]["config"])

    def _buildah(self, command: str, *words: str, within: float = 60) -> str:
        return run("buildah", *self._options, command, *words, within=within).strip()
