import pytest

from tests.reader.front.loopback import LOOPS, Run


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine, on either loop."""
    return Run(LOOPS[request.param])
