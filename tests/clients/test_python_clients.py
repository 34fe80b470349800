"""The scenarios of clients in Python; see `claims` for what is claimed of each."""

from collections.abc import Callable

import pytest

from tests.clients.claims import CLAIMS
from tests.clients.client import UNDER_BOTH, Case, Client, cases_of
from tests.clients.scenarios.run import python
from tests.clients.stage import Stage

CLIENTS = [
    Client("PyGithub", lambda server, _, token: python("with_pygithub", server, token)),
    Client("github3.py", lambda server, _, token: python("with_github3", server, token)),
    Client(
        "githubkit",
        lambda server, mount, token: python("with_githubkit", server + mount, token),
        UNDER_BOTH,
    ),
]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
@pytest.mark.parametrize("case", cases_of(CLIENTS), ids=str)
def test_a_client(case: Case, claim: Callable[[Case, Stage], None], stage: Stage) -> None:
    claim(case, stage)
