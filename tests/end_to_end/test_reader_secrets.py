"""What is the refreshers' is in no reader process, even where all get the same environment."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.fleet import Fleet, Reader
from tests.fakegithub.client import FakeGitHubProcess
from tests.waiting import eventually

TOKEN = "ghp_OnlyTheRefreshersMayHoldThis0123"
KEY = "-----BEGIN RSA PRIVATE KEY-----\\nOnlyTheRefreshersToo4567\\n-----END RSA PRIVATE KEY-----"
SECRETS = {
    "GITHUB_API_TOKEN": TOKEN,
    "GITHUB_APP_ID": "1234",
    "GITHUB_APP_INSTALLATION_ID": "5678",
    "GITHUB_APP_PRIVATE_KEY": KEY,
    "GITHUB_HOOK_TOKEN": "ghp_AndWhatTheWebhooksSent89ab",
}
LEAKS = (TOKEN.encode(), b"OnlyTheRefreshersToo4567", b"ghp_AndWhatTheWebhooksSent89ab")


def environment_of(process: psutil.Process) -> bytes:
    """What the process was started with, as the kernel keeps it."""
    return Path(f"/proc/{process.pid}/environ").read_bytes()


def memory_of(process: psutil.Process) -> Iterator[bytes]:
    """All that the process may write to, region by region."""
    with Path(f"/proc/{process.pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
            addresses, permissions, *_ = line.split()
            begin, end = (int(address, 16) for address in addresses.split("-"))
            if permissions.startswith("rw"):
                try:
                    memory.seek(begin)
                    yield memory.read(end - begin)
                except OSError:  # it was given back meanwhile, or is the kernel's
                    continue


def holds(process: psutil.Process) -> bool:
    try:
        return any(leak in region for region in memory_of(process) for leak in LEAKS)
    except PermissionError:
        pytest.skip("NO MEMORY IS LOOKED INTO HERE: another process's may not be read")


@pytest.fixture
def fleet(tmp_path: Path, github: FakeGitHubProcess) -> Iterator[Fleet]:
    with Fleet(tmp_path, github.url, **SECRETS) as made:
        made.interpreters = True  # a forked process has another one's environment in /proc
        yield made


@pytest.mark.parametrize("is_flask_alone", [False, True], ids=["front", "Flask alone"])
def test_readers_hold_nothing_that_is_the_refreshers(fleet: Fleet, *, is_flask_alone: bool) -> None:
    reader: Reader = fleet.flask_reader() if is_flask_alone else fleet.reader()
    assert reader.get("/orgs/Netflix/hooks").status_code == 403  # a request was served
    family = reader.family()
    assert len(family) == 2
    for process in family:
        assert not any(leak in environment_of(process) for leak in LEAKS)
        assert not holds(process)


def test_what_is_looked_for_would_be_found(fleet: Fleet) -> None:
    worker = fleet.worker()
    process = psutil.Process(worker.process.pid)
    eventually(lambda: LEAKS[0] in environment_of(process), what="the refresher has started")
    eventually(lambda: holds(process), what="its memory holds them")
