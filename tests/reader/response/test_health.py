import json

import pytest

from reader.response.health import health
from reader.response.response import CORS_HEADERS, HttpResponse, json_response
from shared.resources.resource import Resource
from tests.builders import CATALOGUE, JSON, tracked


def assert_uncacheable(response: HttpResponse) -> None:
    """Stored by no cache, readable by any page, and as long as it says."""
    assert response.headers == {
        "Content-Type": JSON,
        "Content-Length": str(len(response.body)),
        "Cache-Control": "no-store",
        **CORS_HEADERS,
    }


@pytest.mark.parametrize("missing", [[], list(CATALOGUE.tracked)])
def test_a_process_that_responds_lives(missing: list[Resource]) -> None:
    response = health("/livez", lambda: missing)
    assert response is not None
    assert (response.status, response.body) == (200, b'{"status": "ok"}')
    assert_uncacheable(response)


def test_a_reader_that_misses_nothing_is_well() -> None:
    response = health("/healthcheck", list)
    assert response is not None
    assert (response.status, response.body) == (200, b'{"status": "ok"}')
    assert_uncacheable(response)


@pytest.mark.parametrize("missing", [[tracked("/")], list(CATALOGUE.tracked)])
def test_what_is_missing_is_named(missing: list[Resource]) -> None:
    response = health("/healthcheck", lambda: missing)
    assert response is not None
    assert response.status == 503
    names = [resource.name for resource in missing]
    assert json.loads(bytes(response.body)) == {"status": "unavailable", "missing": names}
    assert_uncacheable(response)


@pytest.mark.parametrize("path", ["/", "/livez/", "/healthcheck/x", "/Livez", ""])
def test_no_other_path_is_a_health_check(path: str) -> None:
    assert health(path, list) is None


def test_any_json_can_be_sent() -> None:
    response = json_response({"a": ["é"]}, status=202)
    assert (response.status, response.body) == (202, b'{"a": ["\\u00e9"]}')
    assert_uncacheable(response)
