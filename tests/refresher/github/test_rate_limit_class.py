"""Classes of rate limits are remembered by the shape of paths."""

import pytest

from refresher.github.rate_limit_class import shape_of


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/", "/"),
        ("/orgs/Netflix", "/orgs/*"),
        ("/orgs/Netflix/repos?per_page=100", "/orgs/*/repos"),
        ("/repos/netflix/hystrix", "/repos/*/*"),
        ("/repos/netflix/hystrix/dependency-graph/sbom", "/repos/*/*/dependency-graph/sbom"),
        ("/repos/netflix/hystrix/issues/7/comments", "/repos/*/*/issues/*/comments"),
        ("/repos/a/b/contents/a/very/deep/path", "/repos/*/*/contents/a/very"),
        ("/organizations/913567/repos?page=2", "/organizations/*/repos"),
        ("/repositories/1234/issues", "/repositories/*/issues"),
        ("/users/netflix/events", "/users/*/events"),
    ],
)
def test_a_shape_leaves_out_names_and_numbers(path: str, shape: str) -> None:
    assert shape_of(path) == shape
