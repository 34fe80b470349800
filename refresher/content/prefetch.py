"""Requests the next pages of a list while the first ones are under way."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from refresher.github.response import GitHubResponse


class Prefetch:
    """Responses in the order in which they are needed, requested ahead of time.

    With a concurrency of 1 each page is requested when it is needed, as GitHub advises. With 2 a
    look takes half as long, and the resource rests as long (`spacing`): one request on average.
    https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api

    At most `concurrency` responses are under way or waiting to be used: they are large.

    Args:
        ask: returns the response to one URL; called in several threads.
        concurrency: number of requests under way at once.
    """

    def __init__(self, ask: Callable[[str], GitHubResponse], *, concurrency: int) -> None:
        self._ask = ask
        self._concurrency = concurrency
        self._threads = ThreadPoolExecutor(concurrency) if concurrency > 1 else None
        self._expected: deque[str] = deque()
        self._ahead: dict[str, Future[GitHubResponse]] = {}

    def __enter__(self) -> "Prefetch":
        """Start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel what has not started, and wait for what is under way."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def expect(self, urls: Iterable[str]) -> None:
        """Set the URLs that will probably be needed, in this order.

        One alone is requested when it is needed: another thread would not make it come earlier.
        """
        expected = deque(urls)
        self._expected = expected if len(expected) > 1 else deque()
        self._fill()

    def get(self, url: str) -> GitHubResponse:
        """The response to a URL, requested now if it was not expected.

        Raises:
            OriginError: there was no complete response; also all other errors of `ask`.
        """
        response = self._ahead.pop(url, None)
        if response is None:
            return self._ask(url)
        self._fill()
        return response.result()

    def _fill(self) -> None:
        if self._threads is None:
            return
        while self._expected and len(self._ahead) < self._concurrency:
            url = self._expected.popleft()
            self._ahead[url] = self._threads.submit(self._ask, url)
