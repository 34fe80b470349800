"""Guessing `ADMIN_TOKEN` is slow, giving it is quick, and signing out holds: in a whole fleet."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
import requests

from reader.status.admin import COOKIE
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess

TOKEN = "AdminOfTheStatusPage"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
GUESSERS = 30
SECONDS = 5.0  # that they guess for; a minute's allowance must not be renewed meanwhile
MOST_ANSWERED = 60  # docs/security.md


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    settings = {"ADMIN_TOKEN": TOKEN, "STATUS_PUBLIC": "false"}
    with Fleet(tmp_path, github.url, **settings) as made:
        yield made


@pytest.fixture
def readers(fleet: Fleet) -> list[Reader]:
    return [fleet.reader(), fleet.reader()]


class Guessers:
    """Clients that guess as quickly as they can, at several readers, inside the block.

    Args:
        readers: whom they ask in turn.
        patience: seconds that they wait for an answer before they guess again.
    """

    def __init__(self, readers: list[Reader], *, patience: float) -> None:
        self.answers: Counter[int] = Counter()
        self.closed = self.given_up = 0
        self._patience = patience
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._guess, args=(number, readers[number % len(readers)].url))
            for number in range(GUESSERS)
        ]

    def __enter__(self) -> "Guessers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _guess(self, number: int, url: str) -> None:
        while not self._over.wait(0.01):  # or the guessers would need the whole processor
            self.answer(number, url)

    def answer(self, number: int, url: str) -> None:
        wrong = f"Guess{number:015}"
        by_form = {"url": f"{url}/status/sign-in", "data": {"token": wrong}}
        headers = {"Authorization": f"Bearer {wrong}"}
        by_header = {"url": f"{url}/status/pause", "headers": headers}
        known = by_form if number % 4 == 0 else by_header
        try:
            status = requests.post(**known, timeout=self._patience).status_code  # type: ignore[arg-type]
        except requests.ConnectionError:
            self.closed += 1
        except requests.Timeout:
            self.given_up += 1
        else:
            self.answers[status] += 1


def give_the_token(readers: list[Reader], seconds: float) -> list[float]:
    """Seconds that each right token took, given in a header and in the form."""
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for reader in readers:
            began = time.perf_counter()
            assert reader.get("/status.json", headers=RIGHT).status_code == 200
            took.append(time.perf_counter() - began)
            began = time.perf_counter()
            assert sign_in(reader, requests.Session()).status_code == 303
            took.append(time.perf_counter() - began)
        time.sleep(0.2)
    return took


def sign_in(reader: Reader, browser: requests.Session, token: str = TOKEN) -> requests.Response:
    url = f"{reader.url}/status/sign-in"
    return browser.post(url, data={"token": token}, timeout=30, allow_redirects=False)


def guess(reader: Reader) -> tuple[int, float]:
    """The status of the answer to a wrong token, and the seconds that it took."""
    began = time.perf_counter()
    headers = {"Authorization": "Bearer a-guess-of-many"}
    status = requests.post(f"{reader.url}/status/pause", headers=headers, timeout=30).status_code
    return status, time.perf_counter() - began


def test_wrong_tokens_given_to_one_reader_slow_those_given_to_another(
    readers: list[Reader],
) -> None:
    first, second = readers
    assert [guess(first)[0] for _ in range(5)] == [401] * 5
    status, took = guess(second)
    assert status == 429
    assert took > 0.5


@pytest.mark.parametrize("patience", [30.0, 0.3], ids=["patient", "impatient"])
def test_guesses_are_slowed_in_the_whole_fleet_and_the_right_token_is_not(
    readers: list[Reader], patience: float
) -> None:
    with Guessers(readers, patience=patience) as guessers:
        took = give_the_token(readers, SECONDS)
    answered = sum(guessers.answers.values())
    print(guessers.answers, guessers.closed, guessers.given_up)
    print(f"right: median {median(took):.3f} s, longest {max(took):.3f} s of {len(took)}")
    assert set(guessers.answers) <= {401, 429}
    assert answered <= MOST_ANSWERED
    assert median(took) < 0.2
    assert max(took) < 2
    for reader in readers:  # a connection that is closed without an answer is no fault
        assert "Traceback" not in reader.output
        assert '"level": "error"' not in reader.output


def test_a_session_that_is_signed_out_at_one_reader_is_over_at_every_reader(
    fleet: Fleet, readers: list[Reader]
) -> None:
    for one in (*readers, fleet.flask_reader()):
        with requests.Session() as browser:
            assert sign_in(readers[0], browser).status_code == 303
            stolen = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
            assert one.get("/status", headers=stolen).status_code == 200
            page = browser.get(f"{readers[1].url}/status", timeout=30).text
            csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
            ended = browser.post(
                f"{readers[1].url}/status/sign-out", data={"csrf": csrf}, timeout=30
            )
            assert ended.status_code == 401  # the page, which asks for the token again
        for reader in fleet.readers:
            assert reader.get("/status", headers=stolen).status_code == 401
            assert reader.get("/status.json", headers=stolen).status_code == 401
            answered = requests.post(
                f"{reader.url}/status/pause", headers=stolen, data={"csrf": csrf}, timeout=30
            )
            assert answered.status_code == 401
