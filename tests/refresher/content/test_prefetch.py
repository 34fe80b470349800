"""Pages are requested ahead, never more at once than allowed."""

from threading import Barrier, Event, Lock, Thread, current_thread

import pytest
from requests.structures import CaseInsensitiveDict

from refresher.content.prefetch import Prefetch
from refresher.errors import OriginError
from refresher.github.response import GitHubResponse
from shared.outcomes import FailureKind

URLS = [f"http://github.invalid/{number}" for number in range(12)]


def answer_to(url: str) -> GitHubResponse:
    return GitHubResponse(url, 200, CaseInsensitiveDict(), url.encode(), {})


class Asked:
    """Responds at once, and remembers the requests."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self._lock = Lock()

    def __call__(self, url: str) -> GitHubResponse:
        with self._lock:
            self.urls.append(url)
        return answer_to(url)


@pytest.mark.parametrize("concurrency", [1, 2, 5, 20])
def test_every_answer_is_that_of_its_url_and_none_is_asked_for_twice(concurrency: int) -> None:
    asked = Asked()
    with Prefetch(asked, concurrency=concurrency) as responses:
        responses.expect(URLS)
        assert [responses.get(url).url for url in URLS] == URLS
    assert sorted(asked.urls) == sorted(URLS)


def test_one_at_a_time_asks_only_for_what_is_wanted() -> None:
    asked = Asked()
    with Prefetch(asked, concurrency=1) as responses:
        responses.expect(URLS)
        responses.get(URLS[0])
        assert asked.urls == URLS[:1]


def test_one_that_is_expected_alone_is_asked_for_in_the_thread_that_wants_it() -> None:
    threads: list[Thread] = []

    def ask(url: str) -> GitHubResponse:
        threads.append(current_thread())
        return answer_to(url)

    with Prefetch(ask, concurrency=3) as responses:
        responses.expect(URLS[:1])
        assert responses.get(URLS[0]).url == URLS[0]
    assert threads == [current_thread()]


def test_what_was_not_expected_is_asked_for_when_it_is_wanted() -> None:
    asked = Asked()
    with Prefetch(asked, concurrency=3) as responses:
        responses.expect(URLS[:2])
        assert responses.get(URLS[7]).url == URLS[7]


def test_as_many_as_allowed_are_under_way_at_once() -> None:
    together = Barrier(3, timeout=60)

    def ask(url: str) -> GitHubResponse:
        together.wait()  # breaks unless three are here at once
        return answer_to(url)

    with Prefetch(ask, concurrency=3) as responses:
        responses.expect(URLS[:6])
        assert [responses.get(url).url for url in URLS[:6]] == URLS[:6]


def test_answers_that_nobody_took_yet_count_too() -> None:
    asked = Asked()
    with Prefetch(asked, concurrency=3) as responses:
        responses.expect(URLS)
        responses.get(URLS[0])
    assert len(asked.urls) <= 4


def test_an_error_comes_when_its_url_is_wanted_and_ends_the_rest() -> None:
    asked = Asked()

    def ask(url: str) -> GitHubResponse:
        if url == URLS[2]:
            raise OriginError(FailureKind.STATUS, "no")
        return asked(url)

    def read() -> None:
        with Prefetch(ask, concurrency=2) as responses:
            responses.expect(URLS)
            for url in URLS:
                responses.get(url)

    with pytest.raises(OriginError):
        read()
    assert len(asked.urls) <= 4


def test_nothing_is_under_way_any_more_once_it_is_over() -> None:
    begun, may_end, ended = Event(), Event(), Event()

    def ask(url: str) -> GitHubResponse:
        begun.set()
        assert may_end.wait(60)
        ended.set()
        return answer_to(url)

    def run() -> None:
        with Prefetch(ask, concurrency=2) as responses:
            responses.expect(URLS[:2])
            assert begun.wait(60)

    thread = Thread(target=run)
    thread.start()
    assert begun.wait(60)
    may_end.set()
    thread.join(60)
    assert ended.is_set()
