"""Answers that wait in the event loop, and those that never come."""

import asyncio
from typing import Any

import pytest

from reader.web import delayed_responses
from reader.web.delayed_responses import DelayedResponses, hold

START: dict[str, Any] = {"type": "http.response.start", "status": 401, "headers": []}
BODY: dict[str, Any] = {"type": "http.response.body", "body": b"x"}


async def answer(held: DelayedResponses, scope: dict[str, Any]) -> list[Any]:
    """What is sent of an answer."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    holding = held.holding(scope, send)
    await holding(START)
    await holding(BODY)
    return sent


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited for, none of which pass."""
    seconds: list[float] = []

    async def sleep(delay: float) -> None:
        seconds.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seconds


def test_an_answer_that_nobody_holds_goes_at_once(slept: list[float]) -> None:
    assert asyncio.run(answer(DelayedResponses(), {})) == [START, BODY]
    assert slept == []


def test_one_that_is_held_goes_later_and_waits_once(slept: list[float]) -> None:
    scope: dict[str, Any] = {}
    hold(scope, seconds=2.5, is_sent=True)
    assert asyncio.run(answer(DelayedResponses(), scope)) == [START, BODY]
    assert slept == [2.5]


def test_one_that_is_not_to_be_sent_ends_the_request_without_an_answer(slept: list[float]) -> None:
    scope: dict[str, Any] = {}
    hold(scope, seconds=2.5, is_sent=False)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(answer(DelayedResponses(), scope))
    assert slept == [2.5]


def test_no_more_than_so_many_wait_for_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delayed_responses, "MOST_DELAYED", 3)
    held = DelayedResponses()

    async def end(seconds: float) -> None:
        scope: dict[str, Any] = {}
        hold(scope, seconds=seconds, is_sent=False)
        with pytest.raises(asyncio.CancelledError):
            await answer(held, scope)

    async def test() -> None:
        waiting = [asyncio.create_task(end(3600)) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.wait_for(end(3600), 10)  # there is no room: at once
        for task in waiting:  # the clients go
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await asyncio.wait_for(end(0), 10)
        assert held._unsent == 0

    asyncio.run(test())


def test_under_a_server_without_a_scope_nothing_is_held() -> None:
    hold(None, seconds=10, is_sent=False)
