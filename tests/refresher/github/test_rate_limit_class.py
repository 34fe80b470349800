"""Classes of rate limits are remembered by the shape of paths."""

import pytest

from refresher.github.rate_limit_class import shape_of


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/", "/"),
        ("/orgs/Netflix", "/orgs/{org}"),
        ("/orgs/Netflix/repos?per_page=100", "/orgs/{org}/repos"),
        ("/repos/netflix/hystrix", "/repos/{owner}/{repo}"),
        (
            "/repos/netflix/hystrix/issues/7/comments",
            "/repos/{owner}/{repo}/issues/{issue_number}/comments",
        ),
        ("/repos/a/b/contents/a/very/deep/path", "/repos/{owner}/{repo}/contents/{path}"),
        ("/repos/a/b/branches/feature%2Flogin", "/repos/{owner}/{repo}/branches/{branch}"),
        ("/organizations/913567/repos?page=2", "/organizations/{organization_id}/repos"),
        ("/repositories/1234/issues", "/repositories/{repository_id}/issues"),
        ("/search/code?q=x", "/search/code"),
        # not documented
        ("/repos/a/b/of-old/7/x", "/repos/*/*/of-old/*/x"),
        ("/users/netflix/of-old", "/users/*/of-old"),
    ],
)
def test_a_shape_leaves_out_names_and_numbers(path: str, shape: str) -> None:
    assert shape_of(path) == shape


def test_what_clients_name_makes_no_further_shapes() -> None:
    """Redis holds a field for each shape whose class is not the core."""
    path = "/repos/netflix/hystrix/dependency-graph/compare"
    assert len({shape_of(f"{path}/main...of-{number}") for number in range(100)}) == 1
