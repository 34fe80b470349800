"""Fixtures of tests in a browser.

While Playwright's sync API is in use, an event loop counts as running in the thread, and
`asyncio.run()` refuses. So it is stopped after each module (starting it takes a second); whatever
runs next in the same process finds the thread as it was. Tests that need `asyncio` themselves do
not belong in the same module as tests that need a browser.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from scripts.debian import find
from tests.browser.failure_states import FailureStates

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NewPage = Callable[..., "Page"]

PATIENCE_MS = 30_000
ARGS = (
    "--no-sandbox",  # root may not have one; the pages are ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name is looked up: pages have what they need, or a test sees that they do not.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """A Chromium for the tests of one module."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - it may be missing
    except ImportError:
        pytest.skip("NO PAGE IS TESTED HERE: Playwright is not installed")
    chromium = find("chromium")
    if chromium is None:
        pytest.skip("NO PAGE IS TESTED HERE: Chromium is not installed; Debian has it")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=ARGS, timeout=PATIENCE_MS
        )
        try:
            yield launched
        finally:
            launched.close()


@pytest.fixture
def failure_states() -> FailureStates:
    """What goes wrong in the pages of a test; `seen()` is empty when all is well."""
    return FailureStates()


@pytest.fixture
def new_page(browser: "Browser", failure_states: FailureStates) -> Iterator[NewPage]:
    """Makes pages, each with cookies and a cache of its own, and closes them after the test.

    It takes the options of Playwright's `browser.new_context`: `color_scheme`, `viewport`, ...
    """
    contexts = []

    def make(**options: Any) -> "Page":
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        failure_states.watch(page)
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: NewPage) -> "Page":
    """A page of the usual kind, empty."""
    return new_page()
