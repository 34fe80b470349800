"""Which deliveries were lost, and when GitHub is asked for them: pure decisions."""

from refresher.deliveries.attempts import Attempt, attempts_in
from refresher.deliveries.lost import (
    MOST_KEPT,
    MOST_TRIES,
    REMEMBERED_S,
    Judged,
    Lost,
    due,
    gave_up,
    judge,
    lost_from,
)

NOW = 1_800_000_000.0
INTERVAL = 300.0


def attempt(number: int, guid: str, code: int = 502, *, at: float = NOW) -> Attempt:
    return Attempt(number, guid, at, code)


def judged(
    *attempts: Attempt,
    known: dict[str, Lost] | None = None,
    arrived: set[str] | None = None,
    is_first: bool = False,
) -> Judged:
    return judge(attempts, known or {}, arrived or set(), is_first=is_first, newest=NOW)


def is_due(one: Lost, *, now: float = NOW, last_success: float = 0.0) -> bool:
    return list(due({"a": one}, last_success=last_success, now=now, interval=INTERVAL)) == ["a"]


class TestWhatIsLost:
    def test_a_delivery_that_no_reader_remembers_was_lost_whatever_its_status(self) -> None:
        found = judged(attempt(1, "a", 502), attempt(2, "b", 0), attempt(3, "c", 200))
        assert sorted(found.lost) == ["a", "b", "c"]
        assert found.found == 3

    def test_one_that_a_reader_remembers_was_not_though_github_calls_it_a_failure(self) -> None:
        assert judged(attempt(1, "a", 504), arrived={"a"}).lost == {}

    def test_at_the_first_look_github_is_believed_that_one_succeeded(self) -> None:
        found = judged(attempt(1, "a", 200), attempt(2, "b", 500), is_first=True)
        assert sorted(found.lost) == ["b"]

    def test_one_that_failed_and_arrived_later_is_healed(self) -> None:
        known = {"a": Lost(1, NOW - 60, 502, tries=1, asked=NOW - 30, asked_id=1)}
        found = judged(attempt(2, "a", 200), known=known, arrived={"a"})
        assert (found.healed, found.lost, found.found) == (["a"], {}, 0)

    def test_all_attempts_of_one_delivery_are_one_and_the_newest_counts(self) -> None:
        found = judged(attempt(5, "a", 503), attempt(4, "a", 502))
        assert found.lost["a"] == Lost(5, NOW, 503)
        assert found.found == 1

    def test_the_tries_stay_known_when_an_attempt_has_failed_again(self) -> None:
        known = {"a": Lost(1, NOW - 60, 502, tries=1, asked=NOW - 30, asked_id=1)}
        again = judged(attempt(2, "a", 503), known=known).lost["a"]
        assert (again.id, again.tries, again.code) == (2, 1, 503)
        assert again.has_failed_again()

    def test_what_github_has_forgotten_and_too_much_is_not_remembered(self) -> None:
        old = {"old": Lost(1, NOW - REMEMBERED_S - 1, 502)}
        many = {f"g{n}": Lost(n, NOW - n / 1000, 502, is_given_up=True) for n in range(1, 1100)}
        found = judged(attempt(2000, "new"), known=old | many)
        assert len(found.lost) == MOST_KEPT
        assert "new" in found.lost
        assert "old" not in found.lost


class TestWhenItIsAskedFor:
    def test_at_once(self) -> None:
        assert is_due(Lost(1, NOW, 502))

    def test_then_after_pauses_that_double(self) -> None:
        for tries, pause in enumerate((2, 4, 8, 16), start=1):
            one = Lost(1, NOW, 502, tries=tries, asked=NOW, asked_id=1)
            assert not is_due(one, now=NOW + pause * INTERVAL - 1)
            assert is_due(one, now=NOW + pause * INTERVAL)

    def test_sooner_if_it_failed_again_and_a_newer_one_has_arrived_since(self) -> None:
        one = Lost(2, NOW, 502, tries=1, asked=NOW, asked_id=1)
        assert not is_due(one)
        assert not is_due(one, last_success=NOW - 1)
        assert is_due(one, last_success=NOW + 1)
        assert not is_due(Lost(1, NOW, 502, tries=1, asked=NOW, asked_id=1), last_success=NOW + 1)

    def test_at_once_if_redis_s_clock_was_set_back(self) -> None:
        assert is_due(Lost(1, NOW, 502, tries=1, asked=NOW + 60, asked_id=1))

    def test_the_oldest_first(self) -> None:
        waiting = {"b": Lost(2, NOW, 502), "a": Lost(3, NOW - 1, 502)}
        assert list(due(waiting, last_success=0, now=NOW, interval=INTERVAL)) == ["a", "b"]

    def test_it_is_given_up_after_the_last_try_has_failed_or_its_pause_is_over(self) -> None:
        failed = Lost(9, NOW, 502, tries=MOST_TRIES, asked=NOW, asked_id=8)
        waits = Lost(8, NOW, 502, tries=MOST_TRIES, asked=NOW, asked_id=8)
        before = Judged({"failed": failed, "waits": waits}, 0, (), 0)
        after = gave_up(before, now=NOW + 1, interval=INTERVAL)
        assert (sorted(after.waiting), after.given_up) == (["waits"], 1)
        late = gave_up(after, now=NOW + INTERVAL * 32, interval=INTERVAL)
        assert (sorted(late.waiting), late.given_up) == ([], 1)


class TestWhatIsRead:
    def test_an_item_of_the_list(self) -> None:
        item = {
            "id": 12345678901234567,
            "guid": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
            "delivered_at": "2019-06-03T00:57:16Z",
            "status": "OK",
            "status_code": 200,
        }
        assert list(attempts_in([item])) == [
            Attempt(12345678901234567, item["guid"], 1559523436.0, 200)  # type: ignore[arg-type]
        ]

    def test_what_is_malformed_is_left_out(self) -> None:
        sound = {"id": 1, "guid": "a", "delivered_at": "2019-06-03T00:57:16Z", "status_code": None}
        spoilt = [
            {**sound, name: value}
            for name, value in (
                ("id", "1"), ("id", -1), ("guid", "a/../b"), ("guid", None),
                ("delivered_at", "yesterday"), ("delivered_at", None), ("status_code", "200"),
            )
        ]  # fmt: skip
        assert [one.code for one in attempts_in([*spoilt, None, 3, sound])] == [0]
        assert list(attempts_in({"message": "Not Found"})) == []

    def test_a_record_comes_back_as_it_was_stored_and_a_damaged_one_is_absent(self) -> None:
        one = Lost(12345678901234567, NOW, 502, tries=1, asked=NOW, asked_id=7)
        assert lost_from(one.to_json().encode()) == one
        for damaged in (b"", b"[]", b"{", b'{"id": 1, "more": 2}', b"[" * 100_000):
            assert lost_from(damaged) is None
