"""What is claimed of each client's scenario, in each case."""

from tests.clients.client import Case
from tests.clients.scenarios import run
from tests.clients.scenarios.run import MOUNT, REFUSALS
from tests.clients.stage import Stage

# Steps that follow addresses in bodies; without the mount, those lead to GitHub.
FOLLOW_BODIES = {"walk", "release_assets"}


def all_calls_give_what_github_gives(case: Case, stage: Stage) -> None:
    """No call fails, and each gives the details that an enterprise server gives."""
    played = stage.play(case.client)
    assert run.failures(played.truth).keys() <= REFUSALS.keys(), "the scenario is wrong"
    assert run.failures(played.cases[case]) == {}
    truth, given = run.compared(played.truth), run.compared(played.cases[case])
    assert given == {name: truth[name] for name in given}
    assert truth.keys() - given.keys() <= (set() if case.mount else FOLLOW_BODIES)


def addresses_lead_to_the_cache(case: Case, stage: Stage) -> None:
    """Addresses in bodies are those of GitHub below the mount; below `/` they are the origin's."""
    played = stage.play(case.client)
    expected = run.below(stage.server_base, played.truth)
    base = stage.cache + MOUNT if case.mount else stage.origin.url
    given = run.below(base, played.cases[case])
    assert given == {name: expected[name] for name in given}
    assert sum(map(len, given.values())) > 10


def refusals_are_said_in_words(case: Case, stage: Stage) -> None:
    """What is refused is the client's own error for the status, with a message."""
    lines = stage.play(case.client).cases[case]
    refused = [line for line in lines.values() if line.name in REFUSALS]
    assert refused
    for line in refused:
        assert line.ok, line
        assert line.detail["status"] == REFUSALS[line.name]
        assert line.detail["message"]


def it_never_sleeps(case: Case, stage: Stage) -> None:
    """No step takes as long as a client waits that believes in a limit."""
    late = run.slow(stage.play(case.client).cases[case])
    allowed = {name for name, status in REFUSALS.items() if status == 405 and case.client.retries}
    assert late.keys() <= allowed
    assert max(late.values(), default=0) < 20


def github_hears_of_nobody(case: Case, stage: Stage) -> None:
    """Only refreshers ask the origin, and never with the user's token."""
    assert stage.play(case.client).heard <= {"api-read-cache"}


CLAIMS = (
    all_calls_give_what_github_gives,
    addresses_lead_to_the_cache,
    refusals_are_said_in_words,
    it_never_sleeps,
    github_hears_of_nobody,
)
