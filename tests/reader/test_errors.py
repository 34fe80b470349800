import pytest

from reader.errors import BadRequest, NotFound, Unavailable


def test_each_error_carries_its_status() -> None:
    assert (NotFound().status, NotFound().message) == (404, "Not Found")
    assert BadRequest("why").status == 400
    assert Unavailable("why", retry_after=3).status == 503


@pytest.mark.parametrize(("seconds", "sent"), [(-5, "1"), (0, "1"), (1, "1"), (30, "30")])
def test_nobody_is_told_to_come_back_at_once(seconds: int, sent: str) -> None:
    assert Unavailable("why", retry_after=seconds).headers == {"Retry-After": sent}
