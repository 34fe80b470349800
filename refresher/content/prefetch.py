"""Asking for the next pages of a list while the first ones are on their way."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from refresher.github.response import GitHubResponse


class Prefetch:
    """Answers handed out in the order in which they are wanted, asked for ahead of it.

    With a concurrency of 1 it asks for each when it is wanted: GitHub's own advice.
    https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api

    No more answers than `concurrency` are ahead, under way or waiting: they are large.

    Args:
        ask: gives the answer to one URL; called by several threads.
        concurrency: requests under way at once.
    """

    def __init__(self, ask: Callable[[str], GitHubResponse], *, concurrency: int) -> None:
        self._ask = ask
        self._concurrency = concurrency
        self._threads = ThreadPoolExecutor(concurrency) if concurrency > 1 else None
        self._expected: deque[str] = deque()
        self._ahead: dict[str, Future[GitHubResponse]] = {}

    def __enter__(self) -> "Prefetch":
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give up what nobody waits for any more; what is under way ends first."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)

    def expect(self, urls: Iterable[str]) -> None:
        """Say which URLs will probably be wanted, in this order."""
        self._expected = deque(urls)
        self._fill()

    def get(self, url: str) -> GitHubResponse:
        """The answer to a URL, asked for now if it was not expected.

        Raises:
            OriginError: no complete answer came, and whatever else `ask` raises.
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
