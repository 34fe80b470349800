"""Which events have arrived, and what `doctor` and the docs say of them."""

import re
import time
from pathlib import Path
from typing import Any

from redis import Redis

from reader.cli.checks.finding import Verdict
from reader.cli.checks.webhooks import check_webhooks
from reader.webhooks.delivery_log import last_deliveries, note_delivery
from reader.webhooks.touched_scopes import TABLE, Touch
from shared.redis import keys
from tests.builders import make_settings
from tests.reader.webhooks.test_receiver import NEW, STAR, deliver, sign

NOW = 1_000_000.0
WITH_SECRET = make_settings(github_webhook_secret="one")


def verdicts(deliveries: dict[str, float]) -> list[tuple[Verdict, str]]:
    """What `doctor` says of the last deliveries."""
    found = check_webhooks(WITH_SECRET, deliveries, now=NOW)
    return [(one.verdict, one.found) for one in found]


def test_a_signed_delivery_is_noted_and_no_other(make_app: Any, redis: Redis) -> None:
    client = make_app(github_webhook_secret=NEW).test_client()
    deliver(client, X_Hub_Signature_256=sign(STAR, "guess"))
    assert not last_deliveries(redis)
    before = time.time()
    deliver(client)
    found = last_deliveries(redis)
    assert found.keys() == {"star"}
    assert before - 5 < found["star"] < time.time() + 5


def test_the_log_is_bounded_expires_and_survives_damage(redis: Redis) -> None:
    redis.set(keys.DELIVERIES, "damaged")
    assert last_deliveries(redis) == {}
    for _ in range(2):
        for event in ("push", "made_up", "made_up_too"):
            note_delivery(redis, event)
    assert last_deliveries(redis).keys() == {"push", "other"}
    assert redis.ttl(keys.DELIVERIES) > 29 * 24 * 3600


def test_doctor_warns_if_nothing_arrives() -> None:
    ((verdict, found),) = verdicts({})
    assert verdict is Verdict.WARNING
    assert "no delivery" in found


def test_doctor_notes_a_webhook_without_events() -> None:
    ((verdict, found),) = verdicts({"ping": NOW - 120})
    assert verdict is Verdict.NOTE
    assert found == "only GitHub's ping has arrived, 2 min ago"


def test_doctor_names_what_arrives_and_the_usual_events_that_do_not() -> None:
    usual = dict.fromkeys(("issues", "pull_request", "push", "repository"), NOW - 7200)
    (good, found), (noted, missing) = verdicts(usual)
    assert (good, noted) == (Verdict.OK, Verdict.NOTE)
    assert "2 h ago" in found
    assert "pull_request" in found
    assert missing == "none has arrived about star"
    assert [one for one, _ in verdicts(usual | {"star": NOW})] == [Verdict.OK]


def test_doctor_notes_a_missing_secret() -> None:
    (found,) = check_webhooks(make_settings(), {}, now=NOW)
    assert found.verdict is Verdict.NOTE


def test_the_docs_name_every_event_to_tick_and_no_other() -> None:
    page = Path(__file__).parents[3].joinpath("docs", "webhooks.md").read_text()
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    named = [event for row in rows for event in re.findall(r"`([a-z_0-9]+)`", row)]
    assert len(named) == len(set(named))
    assert set(named) == {event for event, touch in TABLE.items() if touch != Touch()}
