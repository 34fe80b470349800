"""Files that cannot be written are told of, and the log stays readable."""

import pytest

from reader.temporary_files import TemporaryFiles, Use
from shared.clock import Clock

FULL = OSError(28, "No space left on device")


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def files(now: list[float]) -> TemporaryFiles:
    return TemporaryFiles(Clock(lambda: 0.0, lambda: now[0], lambda _: None))


def test_what_fails_is_known_until_it_works_again(files: TemporaryFiles) -> None:
    assert files.failing == {}
    files.failed(Use.COUNTS, FULL)
    files.failed(Use.BODIES)
    assert files.failing == {
        "counts": "No space left on device",
        "bodies": "there is no folder for it",
    }
    files.worked(Use.COUNTS)
    files.worked(Use.SEGMENTS)
    assert files.failing == {"bodies": "there is no folder for it"}


def test_what_fails_each_second_is_logged_more_and_more_rarely(
    files: TemporaryFiles, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(4 * 3600):
        now[0] = float(second)
        files.failed(Use.COUNTS, FULL)
    assert len(caplog.messages) == 9  # after 0, 60, 180, 420, 900, 1860, 3780, 7380, 10980 s
    assert caplog.messages[0] == (
        "no temporary file can be written for counts: No space left on device; each process shows "
        "only what it has counted itself"
    )
    files.worked(Use.COUNTS)
    assert caplog.messages[-1] == "temporary files can be written for counts again"
