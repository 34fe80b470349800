import json

import pytest

from reader.errors import BadRequest, NotFound, Unavailable, error_body


def test_the_body_is_githubs() -> None:
    assert json.loads(error_body(404, "Not Found")) == {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    }


@pytest.mark.parametrize("message", ['"quoted"', "back\\slash", "\x00\n", "ä\u2028", "\ud800"])
def test_the_body_is_json_whatever_the_message(message: str) -> None:
    assert json.loads(error_body(400, message))["message"] == message


def test_each_error_carries_its_status() -> None:
    assert (NotFound().status, NotFound().message) == (404, "Not Found")
    assert BadRequest("why").status == 400
    assert Unavailable("why", retry_after=3).status == 503


@pytest.mark.parametrize(("seconds", "sent"), [(-5, "1"), (0, "1"), (1, "1"), (30, "30")])
def test_nobody_is_told_to_come_back_at_once(seconds: int, sent: str) -> None:
    assert Unavailable("why", retry_after=seconds).headers == {"Retry-After": sent}
