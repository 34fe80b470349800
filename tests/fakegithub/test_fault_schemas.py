"""What a client meets under a fault keeps GitHub's published schemas, where it is GitHub's."""

from typing import Any

import pytest

from tests.fakegithub.api import ask
from tests.fakegithub.client import FakeGitHub
from tests.fakegithub.faults import KINDS
from tests.fakegithub.openapi_schemas import violations

# The published schema of what clients meet under each fault that has a body in GitHub's JSON.
FAULTY = {
    "too_large": "forbidden",
    "saml": "forbidden",
    "ip_allow_list": "forbidden",
    "not_accessible": "forbidden",
    "ratelimited": "forbidden",
    "secondary": "forbidden",
    "blocked": "forbidden",  # GitHub publishes none for 451
    "status": "not_found",
    "redirect": "moved_permanently",
    **dict.fromkeys(
        ("headers", "absurd_headers", "absurd_pauses", "foreign_link", "link_loop", "other_base",
         "no_link", "empty_list", "short_list", "slow", "drip", "unframed"), "/orgs/{org}/repos"
    ),
}  # fmt: skip
FAULT_OPTIONS: dict[str, dict[str, Any]] = {
    "status": {"status": 404},
    "drip": {"piece": 10_000, "interval": 0.001},
}


@pytest.mark.parametrize(("kind", "schema"), FAULTY.items())
def test_what_a_fault_answers_keeps_githubs_published_schemas(kind: str, schema: str) -> None:
    with FakeGitHub(repos=12, members=2) as github:
        github.fault(kind, path="/orgs/Netflix/repos", **FAULT_OPTIONS.get(kind, {}))
        response = ask(github, "/orgs/Netflix/repos?per_page=5", token="t")
        assert violations(schema, response.json) == []
        if kind not in ("status", "redirect") and not schema.startswith("/"):
            assert response.json["message"]
        assert isinstance(response.json, list) == schema.startswith("/")


def test_every_other_fault_has_no_body_of_githubs() -> None:
    others = set(KINDS) - set(FAULTY)
    assert others == {
        "html", "hang", "reset", "truncate", "cut_chunked", "garbage", "empty", "wrong_shape",
        "huge", "accepted", "wrong_304",
    }  # fmt: skip
