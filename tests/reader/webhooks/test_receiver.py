"""Being told of changes: signed, once each, and however many come."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from redis import Redis, RedisError
from werkzeug.test import TestResponse

from reader.errors import Unauthorized
from reader.webhooks.receiver import MAX_BYTES, Signature, Webhooks
from shared.redis import keys
from shared.redis.store import Store
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import REPOSITORIES
from tests.builders import queued_names
from tests.waiting import eventually

OLD, NEW = "old-secret", "new-secret"
REPOS = Catalogue(("Netflix",)).of_kind(REPOSITORIES, "Netflix")
STAR = json.dumps({"repository": {"owner": {"login": "Netflix"}}}).encode()


@pytest.fixture
def told(make_app: Any) -> FlaskClient:
    """A reader with two secrets, as while one is being replaced."""
    client: FlaskClient = make_app(github_webhook_secret=f"{OLD},{NEW}").test_client()
    return client


def sign(body: bytes, secret: str = NEW) -> str:
    """GitHub's signature, worked out here."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(client: FlaskClient, body: bytes = STAR, **changed: str | None) -> TestResponse:
    """A delivery as GitHub sends it; a header given as None is left out."""
    headers = {
        "X-GitHub-Event": "star",
        "X-GitHub-Delivery": "11111111-2222-3333-4444-555555555555",
        "X-Hub-Signature-256": sign(body),
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    sent = {name: value for name, value in headers.items() if value is not None}
    return client.post("/webhooks/github", data=body, headers=sent)


def is_signed(body: bytes, claimed: str, secrets: list[str]) -> bool:
    """Whether a body that comes in two pieces matches."""
    signature = Signature(claimed, secrets)
    signature.feed(body[:5])
    signature.feed(body[5:])
    try:
        signature.check()
    except Unauthorized:
        return False
    return True


def jobs(redis: Redis) -> int:
    """Refreshes of the list that are queued; a starting reader asks for the rest itself."""
    return queued_names(redis).count(REPOS.name)


def test_golden_signature() -> None:
    # From GitHub's documentation on validating webhook deliveries.
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    secret = "It's a Secret to Everybody"
    assert is_signed(b"Hello, World!", signature, [secret])
    assert is_signed(b"Hello, World!", signature, ["another", secret])
    assert not is_signed(b"Hello, World?", signature, [secret])
    assert not is_signed(b"Hello, World!", signature, [])
    assert not is_signed(b"Hello, World!", "sha256=\u00e9", ["x"])


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_signed_delivery_has_refreshed_what_it_touches(
    told: FlaskClient, redis: Redis, secret: str
) -> None:
    answered = deliver(told, X_Hub_Signature_256=sign(STAR, secret))
    assert answered.status_code == 202
    assert json.loads(answered.data) == {"refreshing": ["/orgs/Netflix/repos"]}
    assert Store(redis).state(REPOS).invalidated_by is not None
    # The reader may just have been asking by itself: then the job is its, and about to be there.
    eventually(lambda: jobs(redis) > 0, what="a refresh is queued")
    assert jobs(redis) == 1


@pytest.mark.parametrize(
    ("body", "changed", "status"),
    [
        (STAR, {"X_Hub_Signature_256": None}, 401),
        (STAR, {"X_Hub_Signature_256": sign(STAR, "guess")}, 401),
        (STAR, {"X_Hub_Signature_256": sign(STAR + b" ")}, 401),
        (STAR, {"X_Hub_Signature_256": sign(STAR).removeprefix("sha256=")}, 401),
        (STAR, {"X_Hub_Signature_256": sign(STAR).upper()}, 401),
        (STAR, {"X_GitHub_Delivery": None}, 400),
        (STAR, {"X_GitHub_Event": None}, 400),
        (STAR, {"X_GitHub_Event": "star\u00e9"}, 400),
        (STAR, {"X_GitHub_Delivery": "../" * 10}, 400),
        (b"garbage", {}, 400),
        (b"[]", {}, 400),
        (b"payload=%7B%7D", {}, 400),
        (b"[" * 100_000, {}, 400),
        (b" " * (MAX_BYTES + 1), {}, 413),
    ],
)
def test_anything_else_is_refused_and_leaves_no_trace(
    told: FlaskClient,
    redis: Redis,
    body: bytes,
    changed: dict[str, str | None],
    status: int,
) -> None:
    answered = deliver(told, body, **changed)
    assert answered.status_code == status
    assert json.loads(answered.data)["status"] == str(status)
    assert Store(redis).state(REPOS).invalidated_by is None
    assert not redis.keys(keys.delivery("*"))


def test_a_form_is_refused_in_words_that_say_what_to_choose(told: FlaskClient) -> None:
    answered = deliver(told, b"payload=%7B%22action%22%3A%22created%22%7D")
    assert answered.status_code == 400
    assert "choose application/json" in json.loads(answered.data)["message"]


def test_a_delivery_counts_once(told: FlaskClient, redis: Redis) -> None:
    deliver(told)
    redis.delete(keys.invalidated_by(REPOS))
    answered = deliver(told)
    assert (answered.status_code, json.loads(answered.data)) == (202, {"refreshing": []})
    assert Store(redis).state(REPOS).invalidated_by is None


def test_a_storm_makes_one_job(told: FlaskClient, redis: Redis) -> None:
    for number in range(300):
        assert deliver(told, X_GitHub_Delivery=f"delivery-{number}").status_code == 202
    assert jobs(redis) == 1


def test_without_a_secret_there_is_no_such_path(make_app: Any) -> None:
    assert deliver(make_app().test_client()).status_code == 404


def gone_and_back(action: str) -> bytes:
    repository = {"id": 4711, "full_name": "Netflix/Secret", "private": False}
    return json.dumps({"action": action, "repository": repository}).encode()


def deliver_of_a_repository(client: FlaskClient, action: str, delivery: str) -> TestResponse:
    body = gone_and_back(action)
    return deliver(
        client,
        body,
        X_GitHub_Event="repository",
        X_GitHub_Delivery=delivery,
        X_Hub_Signature_256=sign(body),
    )


def test_a_repository_that_is_gone_is_withdrawn_until_it_is_public(
    told: FlaskClient, redis: Redis
) -> None:
    deliver_of_a_repository(told, "deleted", "one")
    assert set(redis.hkeys(keys.WITHDRAWN)) == {b"netflix/secret", b"#4711"}
    deliver_of_a_repository(told, "created", "two")
    assert not redis.exists(keys.WITHDRAWN)


def test_a_delivery_is_remembered_only_when_all_it_demands_is_done(
    told: FlaskClient, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is killed in between: a redelivery does what is left."""

    def killed(*_: object, **__: object) -> None:
        raise RedisError

    with monkeypatch.context() as patched:
        patched.setattr(Webhooks, "_invalidate", killed)
        assert deliver(told).status_code == 503
    assert Store(redis).state(REPOS).invalidated_by is None
    assert deliver(told).status_code == 202
    assert Store(redis).state(REPOS).invalidated_by is not None
