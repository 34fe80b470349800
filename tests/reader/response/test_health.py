import json

import pytest

from reader.response.health import healthcheck, json_response, livez
from reader.response.response import CORS_HEADERS, HttpResponse
from shared.resources.resource import Resource
from tests.builders import CATALOGUE, JSON, tracked


def assert_of_this_moment(answer: HttpResponse) -> None:
    """Kept by no cache, readable by any page, and as long as it says."""
    assert answer.headers == {
        "Content-Type": JSON,
        "Content-Length": str(len(answer.body)),
        "Cache-Control": "no-store",
        **CORS_HEADERS,
    }


def test_a_process_that_answers_lives() -> None:
    answer = livez()
    assert (answer.status, answer.body) == (200, b'{"status": "ok"}')
    assert_of_this_moment(answer)


def test_a_reader_that_misses_nothing_is_well() -> None:
    answer = healthcheck([])
    assert (answer.status, answer.body) == (200, b'{"status": "ok"}')
    assert_of_this_moment(answer)


@pytest.mark.parametrize("missing", [[tracked("/")], list(CATALOGUE.tracked)])
def test_what_is_missing_is_named(missing: list[Resource]) -> None:
    answer = healthcheck(missing)
    assert answer.status == 503
    names = [resource.name for resource in missing]
    assert json.loads(answer.body) == {"status": "unavailable", "missing": names}
    assert_of_this_moment(answer)


def test_any_json_can_be_answered() -> None:
    answer = json_response({"a": ["é"]}, status=202)
    assert (answer.status, answer.body) == (202, b'{"a": ["\\u00e9"]}')
    assert_of_this_moment(answer)
