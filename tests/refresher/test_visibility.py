"""What lies below a repository is as visible as the repository."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.visibility import parent_repository
from shared.resources import Resource
from tests.refresher.workbench import CATALOGUE, property_test

segments = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("path", "parent"),
    [
        ("/repos/netflix/x/issues", "/repos/netflix/x"),
        ("/repos/netflix/x/contents/a/b", "/repos/netflix/x"),
        ("/repos/netflix/x", None),
        ("/repos/netflix", None),
        ("/orgs/netflix/repos/x/y", None),
        ("/users/netflix/repos/x", None),
        ("/", None),
    ],
)
def test_only_what_is_below_a_repository_has_a_parent(path: str, parent: str | None) -> None:
    assert parent_repository(Resource(path)) == (None if parent is None else Resource(parent))


@property_test
@given(segments, segments, segments)
def test_a_parent_is_the_resource_that_clients_ask_for_by_that_path(
    owner: str, name: str, below: str
) -> None:
    found = CATALOGUE.find(f"/repos/{owner}/{name}/{below}", "page=2")
    if found is not None:
        assert parent_repository(found) == CATALOGUE.find(f"/repos/{owner}/{name}")
