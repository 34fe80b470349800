"""`make test` brings what its tests use besides Python's packages, where it may.

Chromium and a font, for tests of pages, HAProxy, and a Redis that speaks TLS are installed on
Debian by root; no service is started. `promtool`, which checks what is for Prometheus, is taken out
of its package.

Nothing here fails a run: tests that miss something are skipped, and say so.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.debian import find, install, unpack, why_not_install

_FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", str(Path.home() / ".local/share/fonts"))


def main() -> int:
    """Bring what is missing; a line for each thing that is brought, or cannot be."""
    for bring in (_bring_browser, _bring_haproxy, _bring_tls_redis, _bring_promtool):
        try:
            bring()
        except OSError as error:
            print(f"Tests will be skipped: {error}")
    return 0


def _bring_browser() -> None:
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


def _bring_haproxy() -> None:
    _bring_program("haproxy", package="haproxy", purpose="the tests behind a balancer")


def _bring_tls_redis() -> None:
    # It holds the server under the name of its checking program; the package redis-server would put
    # one on the PATH, which everything else here would then use.
    _bring_program("redis-check-rdb", package="redis-tools", purpose="the tests of TLS")


def _bring_program(name: str, *, package: str, purpose: str) -> None:
    """Have Debian's package bring a program that is not there."""
    if find(name) is not None:
        return
    reason = why_not_install()
    if reason is None:
        _announce(f"Installing {package} with apt-get, for {purpose} (once)")
        reason = None if install([package]) else "apt-get could not install it"
    if reason is not None:
        print(f"No {package}: {reason}; {purpose} will be skipped")


def _missing_packages() -> Iterator[str]:
    """Debian's names of what a browser needs and is not there."""
    if find("chromium") is None:
        yield "chromium"
    if not any(_fonts(_FONTS)):
        yield "fonts-dejavu-core"


def _fonts(folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        for kind in ("*.ttf", "*.otf"):
            yield from Path(folder).rglob(kind)


def _bring_promtool() -> None:
    if find("promtool") is not None:
        return
    if sys.prefix == sys.base_prefix:
        reason = "there is no virtual environment to put it in"
    elif find("apt-get") is None or find("dpkg-deb") is None:
        reason = "there is no apt-get"
    else:
        _announce("Taking promtool out of Debian's prometheus, to check alerts with (once)")
        if unpack("prometheus", "usr/bin/promtool"):
            return
        reason = "apt-get could not bring it"
    print(f"No promtool: {reason}; the tests of alerts will be skipped")


def _announce(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
