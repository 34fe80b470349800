"""Refusals: in words, with a reason, and never what a client takes for a limit or for "not there".

The patterns are those by which clients tell what an error means.
"""

import json
import re

import pytest

from reader.errors import ApiError
from reader.response.refused_paths import graphql_of, group_of, refused_method
from reader.response.respond import refuse
from reader.response.target import Target, parse_target
from shared.resources.catalogue import Catalogue
from shared.resources.operations import Decision, Operation, operations
from tests.builders import CATALOGUE

BASE = "https://cache.test"
# PyGithub, go-github, Octokit.js with its throttling, octokit.rb, github3.py.
TAKEN_FOR_SOMETHING_ELSE = re.compile(
    r"rate.?limit|abuse|secondary|too many|login attempts|please wait|blobs|access blocked"
    r"|must be verified|suspended|billing issue|two.?factor|SAML|not protected|not found",
    re.IGNORECASE,
)
NUMBERS = ("_id}", "_number}")


def example_of(operation: Operation) -> str:
    """A path that names an operation."""
    parts = operation.path.split("/")
    values = ["7" if part.endswith(NUMBERS) else "x" for part in parts]
    filled = zip(parts, values, strict=True)
    return "/".join(value if part.startswith("{") else part for part, value in filled)


def found_at(target: str, catalogue: Catalogue = CATALOGUE) -> Target | ApiError:
    try:
        return parse_target(catalogue, target)
    except ApiError as error:
        return error


def body_of(error: ApiError) -> dict[str, str]:
    sent = refuse(error, base=BASE)
    assert sent.status == error.status
    found = json.loads(bytes(sent.body))
    assert isinstance(found, dict)
    return found


def test_a_path_of_old_is_refused_for_the_same_reason_as_its_successor() -> None:
    """GitHub still has it, and clients ask for it (PyGithub's `get_watchers`)."""
    old, new = (found_at(f"/repos/a/b/{end}") for end in ("watchers", "stargazers"))
    assert isinstance(old, ApiError)
    assert isinstance(new, ApiError)
    assert body_of(old) == body_of(new)


def test_each_operation_is_served_or_refused_in_words(subtests: pytest.Subtests) -> None:
    for operation in operations():
        if operation.decision is not Decision.OWN:  # which has a route of its own
            with subtests.test(operation.id):
                check_decision(operation)


def check_decision(operation: Operation) -> None:
    found = found_at(example_of(operation))
    if operation.is_asked:
        assert isinstance(found, Target)
        return
    assert isinstance(found, ApiError)
    sent, body = refuse(found, base=BASE), body_of(found)
    assert found.status == (401 if operation.path.split("/")[1] == "user" else 403)
    assert body["status"] == str(found.status)
    assert body["documentation_url"] == f"{BASE}/operations#{group_of(operation)}"
    assert not TAKEN_FOR_SOMETHING_ELSE.search(body["message"])
    assert "Retry-After" not in sent.headers
    if found.status == 403:
        assert operation.why in body["message"]
    else:
        assert body["message"] == "Requires authentication"


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("/users/mona?access_token=x", 403, "credentials in a query"),
        ("/orgs/Netflix/members?role=admin&filter=x", 403, "with filter, role:"),
        ("/graphql", 403, "GraphQL"),
        ("/users/" + "a" * 1100, 414, "1024 bytes"),
        ("/nothing", 404, "Not Found"),
        ("//users/mona", 404, "Not Found"),
    ],
)
def test_what_else_is_refused(target: str, status: int, words: str) -> None:
    found = found_at(target)
    assert isinstance(found, ApiError)
    assert found.status == status
    assert words in found.message
    assert status == 404 or not TAKEN_FOR_SOMETHING_ELSE.search(found.message)


def test_other_owners_are_refused_in_words() -> None:
    found = found_at("/users/stranger", Catalogue(("Netflix",), on_demand_owners=("mona",)))
    assert isinstance(found, ApiError)
    assert (found.status, "owners" in found.message) == (403, True)
    assert not TAKEN_FOR_SOMETHING_ELSE.search(found.message)


def test_other_methods_are_told_where_to_go() -> None:
    error = refused_method(is_posted_to=False, api="https://api.github.com")
    assert (error.status, error.headers) == (405, {"Allow": "GET, HEAD, OPTIONS"})
    assert "writes to https://api.github.com," in error.message
    assert error.message.endswith("GraphQL to https://api.github.com/graphql.")
    assert refused_method(is_posted_to=True, api="x").headers == {"Allow": "OPTIONS, POST"}


@pytest.mark.parametrize(
    ("api", "graphql"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://ghe.test/api/v3", "https://ghe.test/api/graphql"),
        ("https://ghe.test/api/v3/", "https://ghe.test/api/graphql"),
    ],
)
def test_graphql_is_where_github_has_it(api: str, graphql: str) -> None:
    assert graphql_of(api) == graphql


def test_without_an_address_the_documentation_is_githubs() -> None:
    error = found_at("/user")
    assert isinstance(error, ApiError)
    assert b'"documentation_url": "https://docs.github.com/rest"' in refuse(error).body
