"""Failures in pages during a test."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Error, Page, Request, Response

# Of requests that nobody waits for any more, since their page was left.
_ABORTED = "net::ERR_ABORTED"


class FailureStates:
    """Errors on the console, uncaught exceptions, and failed requests."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._pages: list[Page] = []

    def watch(self, page: "Page") -> None:
        """Record the failures in a page from now on."""
        self._pages.append(page)
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def seen(self) -> list[str]:
        """A line for each failure so far, in order."""
        for page in self._pages:
            if not page.is_closed():
                page.evaluate("0")  # what was said before is heard with its answer
        return list(self._seen)

    def _console(self, message: "ConsoleMessage") -> None:
        if message.type in {"error", "assert"}:
            self._seen.append(f"console: {message.text}")

    def _error(self, error: "Error") -> None:
        self._seen.append(f"exception: {error.message}")

    def _failed(self, request: "Request") -> None:
        if request.failure != _ABORTED:
            self._seen.append(f"request: {request.url}: {request.failure}")

    def _response(self, response: "Response") -> None:
        if response.status >= 400:
            self._seen.append(f"request: {response.url}: {response.status}")
