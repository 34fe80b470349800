"""The browser's own set-up: pages load, and what goes wrong in them is noticed."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.browser import axe
from tests.browser.conftest import NewPage
from tests.browser.failure_states import FailureStates
from tests.npm import NodeMissing, check_lock

if TYPE_CHECKING:
    from playwright.sync_api import Page

ICON = '<link rel="icon" href="data:,">'
PAGES = {
    "/well": "<h1>All is well ✓</h1><script>console.log('fine'); console.warn('hm')</script>",
    "/console": "<script>console.error('it hurts')</script>",
    "/exception": "<script>undefined_function()</script>",
    "/missing-script": '<script src="/nowhere.js"></script>',
    "/elsewhere": '<script src="http://elsewhere.example.com/x.js"></script>',
    "/scheme": "<script>document.title = matchMedia('(prefers-color-scheme: dark)').matches"
    " ? 'dark' : 'light'</script>",
    "/unlabelled": "<main><h1>A form</h1><input type=text></main>",
    "/labelled": "<main><h1>A form</h1><label>Name <input type=text></label></main>",
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = PAGES.get(self.path)
        text = f"<!doctype html><html lang=en><title>t</title>{ICON}{known}" if known else ""
        body = text.encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not in a test's output."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_is_shown(page: "Page", site: str, failure_states: FailureStates) -> None:
    page.goto(f"{site}/well")
    assert page.inner_text("h1") == "All is well ✓"
    assert failure_states.seen() == []


def test_an_error_on_the_console_is_noticed(
    page: "Page", site: str, failure_states: FailureStates
) -> None:
    page.goto(f"{site}/console")
    assert failure_states.seen() == ["console: it hurts"]


def test_an_exception_is_noticed(page: "Page", site: str, failure_states: FailureStates) -> None:
    page.goto(f"{site}/exception")
    assert failure_states.seen() == ["exception: undefined_function is not defined"]


def test_a_request_that_is_answered_with_an_error_is_noticed(
    page: "Page", site: str, failure_states: FailureStates
) -> None:
    page.goto(f"{site}/missing-script")
    assert f"request: {site}/nowhere.js: 404" in failure_states.seen()


def test_nothing_is_asked_of_other_hosts(
    page: "Page", site: str, failure_states: FailureStates
) -> None:
    page.goto(f"{site}/elsewhere")
    failed = "request: http://elsewhere.example.com/x.js: net::ERR_NAME_NOT_RESOLVED"
    assert failed in failure_states.seen()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_pages_are_made_as_a_test_wants_them(scheme: str, new_page: NewPage, site: str) -> None:
    page = new_page(color_scheme=scheme)
    page.goto(f"{site}/scheme")
    assert page.title() == scheme


def test_pages_do_not_share_what_they_keep(new_page: NewPage, site: str) -> None:
    first, second = new_page(), new_page()
    for one in (first, second):
        one.goto(f"{site}/well")
    first.evaluate("localStorage.setItem('kept', 'yes')")
    assert first.evaluate("localStorage.getItem('kept')") == "yes"
    assert second.evaluate("localStorage.getItem('kept')") is None


@pytest.mark.parametrize(("path", "found"), [("/labelled", []), ("/unlabelled", ["label"])])
def test_what_keeps_people_out_is_found(
    path: str, found: list[str], page: "Page", site: str
) -> None:
    try:
        script = axe.source()
    except NodeMissing as missing:
        pytest.skip(f"ACCESSIBILITY IS NOT TESTED HERE: {missing}")
    page.goto(site + path)
    page.evaluate(script)
    violations = page.evaluate("axe.run().then(result => result.violations)")
    assert [violation["id"] for violation in violations] == found


def test_the_lock_of_axe_holds_for_every_registry() -> None:
    check_lock(axe.FOLDER)
