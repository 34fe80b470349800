"""Which bodies are wanted, told from heads alone."""

from typing import Any

import pytest

from reader.bodies.wanted_bodies import FORM_MAX_BYTES, POSTED_TO, WEBHOOK, may_bring_a_body, wanted
from reader.errors import ApiError
from reader.webhooks.receiver import MAX_BYTES
from shared.settings import Settings
from tests.builders import make_settings

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
DELIVERY = {
    "X-Hub-Signature-256": "sha256=" + "0a" * 32,
    "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "X-GitHub-Event": "pull_request",
}
OPEN: Settings = make_settings(
    github_webhook_secret="one,two", admin_token="an-admin-token-of-24-chars"
)
CLOSED: Settings = make_settings()


def limit(path: str, headers: dict[str, str], settings: Settings = OPEN) -> int | None:
    """The bytes that are wanted; None for nothing."""
    found = wanted(path, lambda name: headers.get(name, ""), settings)
    return found and found.limit


def test_a_delivery_is_wanted_where_there_is_a_secret() -> None:
    assert limit(WEBHOOK, DELIVERY) == MAX_BYTES
    assert limit(WEBHOOK, DELIVERY, CLOSED) is None
    assert limit(WEBHOOK, {}, CLOSED) is None


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        *(("X-Hub-Signature-256", value, 401) for value in ("", "0a" * 32, "sha256=", "sha1=0a")),
        *(("X-Hub-Signature-256", value, 401) for value in ("sha256=" + "0a" * 33,)),
        *(("X-Hub-Signature-256", value, 401) for value in ("sha256=" + "0A" * 32,)),
        *(("X-GitHub-Delivery", value, 400) for value in ("", "a b", "a" * 65, "../..", "a\n")),
        *(("X-GitHub-Event", value, 400) for value in ("", "Push", "a b", "a" * 65, "push\n")),
    ],
)
def test_a_delivery_without_its_fields_is_refused(name: str, value: str, status: int) -> None:
    with pytest.raises(ApiError) as refused:
        limit(WEBHOOK, {**DELIVERY, name: value})
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("path", "headers", "is_wanted"),
    [
        ("/status/sign-in", FORM, True),
        ("/status/sign-in", {"Content-Type": "application/x-www-form-urlencoded; a=b"}, True),
        ("/status/sign-in", {"Content-Type": "multipart/form-data; boundary=x"}, True),
        ("/status/sign-in", {"Content-Type": "application/json"}, False),
        ("/status/sign-in", {"Content-Type": "application/x-www-form-urlencoded2"}, False),
        ("/status/sign-in", {}, False),
        ("/status/pause", FORM, False),
        ("/status/pause", {**FORM, "Authorization": "Bearer x"}, True),
        ("/status/sign-out", {**FORM, "Cookie": "a=b; api-read-cache-admin=x"}, True),
        ("/status/sign-out", {**FORM, "Cookie": "a=b"}, False),
        ("/status/flushall", {**FORM, "Authorization": "Bearer x"}, False),
        ("/status", {**FORM, "Authorization": "Bearer x"}, False),
        ("/orgs/Netflix", {**FORM, "Authorization": "Bearer x"}, False),
    ],
)
def test_a_form_is_wanted_with_some_proof(
    path: str, headers: dict[str, str], is_wanted: bool
) -> None:
    assert limit(path, headers) == (FORM_MAX_BYTES if is_wanted else None)
    assert limit(path, headers, CLOSED) is None


def test_whether_a_secret_is_right_is_not_told() -> None:
    right, wrong = ({**FORM, "Authorization": f"Bearer {one}"} for one in (OPEN.admin_token, "x"))
    assert limit("/status/pause", right) == limit("/status/pause", wrong)


@pytest.mark.parametrize("path", sorted(POSTED_TO))
def test_what_is_wanted_may_be_spelled_in_any_way(path: str) -> None:
    encoded = path.replace("u", "%75")
    for target in (path, f"{path}?a=b", f"http://a.test{path}", encoded):
        assert may_bring_a_body("POST", target)
        assert not may_bring_a_body("GET", target)
    assert not may_bring_a_body("POST", f"/orgs/Netflix?{path}")


def test_flask_alone_has_the_same_limits(make_app: Any) -> None:
    app = make_app(admin_token="an-admin-token-of-24-chars", github_webhook_secret="one")
    client = app.test_client()
    for size, status in ((FORM_MAX_BYTES - 6, 401), (FORM_MAX_BYTES, 413)):
        data = b"token=" + b"x" * size
        assert client.post("/status/sign-in", data=data, headers=FORM).status_code == status
    for size, status in ((MAX_BYTES, 401), (MAX_BYTES + 1, 413)):
        assert client.post(WEBHOOK, data=b"x" * size, headers=DELIVERY).status_code == status
