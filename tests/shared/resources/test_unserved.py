"""Why something is not served."""

import pytest

from shared.resources.catalogue import Catalogue
from shared.resources.unserved import Cause

CATALOGUE = Catalogue(("Netflix",), on_demand_owners=("mona",))


@pytest.mark.parametrize(
    ("path", "query", "cause"),
    [
        ("/nothing", "", Cause.UNKNOWN),
        ("/users/..", "", Cause.UNKNOWN),
        ("/users//mona", "", Cause.UNKNOWN),
        ("/user/nothing", "", Cause.UNKNOWN),
        ("/repos/mona/x/issues/seven", "", Cause.UNKNOWN),
        ("/users/\ud800", "", Cause.UNKNOWN),
        ("/user", "", Cause.CALLER),
        ("/USER", "", Cause.CALLER),
        ("/user/repos", "per_page=5", Cause.CALLER),
        ("/user/keys/7", "", Cause.CALLER),
        ("/user/7/hovercard", "", Cause.REFUSED),
        ("/user/7/nothing", "", Cause.UNKNOWN),
        ("/repositories/7/hooks", "", Cause.REFUSED),
        ("/organizations/7/hooks", "", Cause.REFUSED),
        ("/orgs/netflix/hooks", "", Cause.REFUSED),
        ("/notifications", "", Cause.REFUSED),
        ("/gists/starred", "access_token=x", Cause.REFUSED),
        ("/users/mona", "access_token=x", Cause.CREDENTIAL),
        ("/users/mona", "Client_Secret=x", Cause.CREDENTIAL),
        ("/orgs/netflix/members", "role=admin", Cause.PARAMETER),
        ("/users/stranger", "", Cause.OWNER),
        ("/repositories", "", Cause.OWNER),
        ("/graphql", "", Cause.GRAPHQL),
        ("/api/GraphQL", "", Cause.GRAPHQL),
        ("/api/v3/graphql", "query=x", Cause.GRAPHQL),
        ("/repos/mona/x/contents/" + "a" * 1100, "", Cause.TOO_LONG),
        ("/users/mona", "x=" + "a" * 1100, Cause.TOO_LONG),
    ],
)
def test_each_cause(path: str, query: str, cause: Cause) -> None:
    assert CATALOGUE.find(path, query) is None
    assert CATALOGUE.unserved(path, query).cause is cause


def test_a_refused_parameter_is_named() -> None:
    found = CATALOGUE.unserved("/orgs/netflix/members", "role=x&FILTER=y&page=2")
    assert found.parameters == ("filter", "role")
