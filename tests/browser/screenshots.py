"""`python -m tests.browser.screenshots`: the status page's pictures in docs/, of a real fleet.

Two readers of two processes each, two refreshers and a scheduler at a stand-in GitHub, with people
asking; then GitHub fails.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import requests
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from scripts.debian import find
from tests.browser.conftest import ARGS
from tests.browser.viewers import STRANGERS
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess

DOCS = Path(__file__).resolve().parents[2] / "docs"
_TOKEN = "an-admin-token-of-24-chars"
_ASKED = (
    "/orgs/Netflix", "/orgs/Netflix/repos?page=2", "/view/top/10/stars", "/users/netflix",
)  # fmt: skip
_SOMETIMES = ("/repos/netflix/hystrix", "/repos/netflix/hystrix/issues", "/users/nobody-at-all")


def main() -> int:
    """Take all pictures; the exit status is 1 where there is no Chromium."""
    chromium = find("chromium")
    if chromium is None:
        print("Chromium is not installed", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeGitHubProcess(churn=4, viewers=STRANGERS) as github,
        Fleet(
            Path(folder), github.url, CACHE_TTL=40, BACKOFF_MAX=60, WEB_CONCURRENCY=2,
            GITHUB_API_TOKEN="ghp_0123456789", ADMIN_TOKEN=_TOKEN,
        ) as fleet,
        sync_playwright() as playwright,
    ):  # fmt: skip
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        fleet.worker(), fleet.worker(), fleet.scheduler()
        readers = [fleet.healthy_reader(), fleet.healthy_reader()]
        with _people_asking(readers):
            time.sleep(75)  # so that something was renewed
            take(browser, readers[0], "status", width=1280)
            take(browser, readers[0], "status-dark", width=1280, scheme="dark")
            take(browser, readers[0], "status-phone", width=375)
            github.fault("status", status=502)
            time.sleep(100)
            take(browser, readers[0], "status-failing", width=1280, signs_in=True)
    return 0


def take(
    browser: Browser,
    reader: Reader,
    name: str,
    *,
    width: int,
    scheme: str = "light",
    signs_in: bool = False,
) -> None:
    """Take one picture.

    Args:
        browser: to look with.
        reader: whose page it is.
        name: of the file in docs/, without its ending.
        width: of the window, in pixels.
        scheme: "light" or "dark".
        signs_in: as an operator.
    """
    options = {"viewport": {"width": width, "height": 812}, "color_scheme": scheme}
    context = browser.new_context(**options)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{reader.url}/status")
    if signs_in:
        page.fill("#token", _TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("text=Sign out")
    page.wait_for_function("() => document.getElementById('live').textContent == 'live, as of'")
    picture = Image.open(BytesIO(page.screenshot(full_page=True)))
    picture.quantize(64).save(DOCS / f"{name}.png", optimize=True)
    context.close()


@contextmanager
def _people_asking(readers: list[Reader]) -> Iterator[None]:
    ends = threading.Event()

    def ask(reader: Reader) -> None:
        with requests.Session() as session:
            for path in _SOMETIMES:
                session.get(reader.url + path, timeout=30)
            while not ends.wait(0.02):
                for path in _ASKED:
                    session.get(reader.url + path, timeout=30)

    threads = [threading.Thread(target=ask, args=[reader]) for reader in readers]
    for thread in threads:
        thread.start()
    yield
    ends.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
