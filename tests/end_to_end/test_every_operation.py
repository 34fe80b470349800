"""All operations that GitHub documents: each is served, or refused in words and at once."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from shared.resources.operations import Decision, Operation, operations
from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.fakegithub.openapi_examples import operation_targets
from tests.reader.response.test_refused_paths import TAKEN_FOR_SOMETHING_ELSE, example_of

# Answered 404 by the stand-in to those who do not see where an issue's parent is.
NEVER_SEEN = {"issues/get-parent"}
SERVED = [one for one in operations() if one.is_asked]
REFUSED = [one for one in operations() if one.decision is Decision.REFUSED]


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def reader(github: FakeGitHubProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    known = {"ORIGIN_POINTS_PER_MINUTE": 100_000}
    with Fleet(tmp_path_factory.mktemp("operations"), github.url, **known) as fleet:
        fleet.worker()
        yield fleet.healthy_reader()


def check_limits(response: requests.Response) -> None:
    """Nothing of a response looks like a limit."""
    said = {
        name: response.headers[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Used")
    }
    assert 1 <= int(said["Remaining"]) == int(said["Limit"]) - int(said["Used"])
    assert time.time() - 1 < int(response.headers["X-RateLimit-Reset"]) < time.time() + 3602
    assert response.headers["X-RateLimit-Resource"] in {"core", "search", "code_search",
                                                        "dependency_sbom"}  # fmt: skip
    assert response.headers["X-GitHub-Request-Id"] == response.headers["X-Request-Id"]
    assert "Retry-After" not in response.headers


def test_what_is_served_is_served(
    reader: Reader, github: FakeGitHubProcess, subtests: pytest.Subtests
) -> None:
    repo = next(one["name"] for one in github.repos())
    targets = {operation: target for operation, _, target in operation_targets(repo=repo)}
    wanted = [one for one in SERVED if one.id in targets]
    assert len(wanted) == len(SERVED)
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda one: reader.get(targets[one.id], allow_redirects=False), wanted)
        )
    for operation, response in zip(wanted, found, strict=True):
        with subtests.test(operation.id):
            expected = {404} if operation.id in NEVER_SEEN else {200, 204, 302}
            assert response.status_code in expected, response.text[:300]
            check_limits(response)


@pytest.mark.parametrize("mount", ["", "/api/v3"])
def test_what_is_refused_is_refused_in_words_and_github_is_not_asked(
    reader: Reader, github: FakeGitHubProcess, mount: str, subtests: pytest.Subtests
) -> None:
    asked = github.counters()["total"]
    page = reader.get("/operations").text
    began = time.monotonic()
    for operation in REFUSED:
        with subtests.test(operation.id):
            check_refused(operation, reader.get(mount + example_of(operation)), page)
    assert time.monotonic() - began < 60, "at once"
    assert github.counters()["total"] == asked


def check_refused(operation: Operation, response: requests.Response, page: str) -> None:
    """A refusal says why, and where more is said, and is not taken for anything else."""
    is_about_the_caller = operation.path.split("/")[1] == "user"
    assert response.status_code == (401 if is_about_the_caller else 403)
    body = response.json()
    assert is_about_the_caller or operation.why in body["message"]
    assert not TAKEN_FOR_SOMETHING_ELSE.search(body["message"])
    fragment = re.fullmatch(
        r"http://127\.0\.0\.1:\d+.*/operations#(\w+)", body["documentation_url"]
    )
    assert fragment is not None
    assert f'<section id="{fragment[1]}"' in page
    assert response.headers["Cache-Control"] == "no-store"
    check_limits(response)
