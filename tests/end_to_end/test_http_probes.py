"""A reader answers the probes of strangers' suites as `docs/http-probes.md` says."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.http_client import Connection
from tests.strangers.conditional import read_cases
from tests.strangers.page import PROBES
from tests.strangers.probes import answers_to, read_probes, verdict_on


class Setting(NamedTuple):
    github: FakeGitHubProcess
    reader: Reader


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with (
        FakeGitHubProcess(anonymous_limit=1_000_000) as github,
        Fleet(tmp_path_factory.mktemp("fleet"), github.url, ON_DEMAND_TTL=1000) as fleet,
    ):
        fleet.worker()
        yield Setting(github, fleet.healthy_reader())


def test_each_probe_gets_the_answer_that_the_page_names(setting: Setting) -> None:
    probes = read_probes(PROBES)
    answers = answers_to(probes, setting.reader.url)
    given = {name: str(answer) for name, answer in answers.items()}
    assert given == {probe.name: probe.given for probe in probes}
    verdicts = {probe.name: verdict_on(probe, answers[probe.name]) for probe in probes}
    assert verdicts == {probe.name: probe.verdict for probe in probes}
    assert setting.reader.is_healthy()


def test_no_condition_of_a_clients_reaches_github(setting: Setting) -> None:
    cases = [case for case in read_cases() if case.case == "not held"]
    for number, case in enumerate(cases):
        setting.github.reset_counters()
        fields = {name.replace("-", "_"): value for name, value in case.fields({}).items()}
        with Connection(setting.reader.url) as connection:
            answer = connection.ask(f"/users/netflix?turn={number}", **fields)
        assert answer.status == 200
        requests = setting.github.recent()
        assert requests
        assert [one for one in requests if "abcdef" in repr(one["headers"])] == [], case.name
    assert len(cases) == 2
