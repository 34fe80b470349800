"""What is deployed is what was tried, file by file; and no code comes in by another way."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.queueing import QUEUE
from tests.end_to_end.fleet import Fleet
from tests.fakegithub.client import FakeGitHubProcess
from tests.redis_contents import stored
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
DEPLOYED = ("reader", "refresher", "shared", "scripts")
# What makes code, or objects of any class, of data.
UNSAFE_CALLS = frozenset(
    [
        *("eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp"),
        *("yaml.load", "yaml.unsafe_load", "yaml.full_load", "jsonpickle.decode"),
    ]
)
UNSAFE_MODULES = frozenset(
    [
        *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"),
        *("jsonpickle", "joblib", "telnetlib", "ftplib", "xml"),
    ]
)


def pinned(file: str) -> dict[str, tuple[str, str]]:
    """Version and marker of each package that a file pins, without extras."""
    text = re.sub(r"\s*\\\n\s+--hash=\S+", "", (ROOT / file).read_text())
    found = {}
    for line in text.splitlines():
        bare = line.partition(" #")[0].strip()
        if bare and not bare.startswith(("#", "-")):
            one = Requirement(bare)
            name = re.sub(r"[-_.]+", "-", one.name).lower()
            found[name] = (str(one.specifier), str(one.marker or ""))
    return found


class TestTheLock:
    """Is `requirements.txt`, by hashes."""

    def test_pins_what_is_required_and_nothing_else(self) -> None:
        assert pinned("requirements.lock") == pinned("requirements.txt"), "run make lock"

    def test_pins_every_version_exactly(self) -> None:
        versions = [version for version, _ in pinned("requirements.lock").values()]
        assert len(versions) > 30
        assert all(re.fullmatch(r"==[0-9][0-9a-z.]*", version) for version in versions)

    def test_has_a_hash_for_every_package_and_no_other_kind_of_option(self) -> None:
        blocks = re.split(r"\n(?=[a-z0-9])", LOCK.read_text().partition("\na2wsgi")[2])
        assert len(blocks) == len(pinned("requirements.lock"))
        assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", block) for block in blocks)
        options = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", LOCK.read_text()))
        assert options <= {"--hash", "-r"}, "an index is the business of who installs"
        assert "://" not in LOCK.read_text()

    def test_is_what_the_image_is_built_of(self) -> None:
        text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
        installs = re.findall(r"pip (?:wheel|install) .*", text)
        assert len(installs) == 2
        for install in installs:
            assert "--require-hashes" in install
            assert install.rstrip().endswith("--requirement requirements.lock")


def called(tree: ast.Module) -> Iterator[str]:
    """The names of what a module calls."""
    return (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))


def imported(tree: ast.Module) -> Iterator[str]:
    """The packages that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


SOURCES = [
    ROOT / "gunicorn.conf.py",
    *(path for package in DEPLOYED for path in sorted((ROOT / package).rglob("*.py"))),
]


def test_no_data_becomes_code() -> None:
    assert len(SOURCES) > 100
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        assert not UNSAFE_CALLS.intersection(called(tree)), path
        assert not UNSAFE_MODULES.intersection(imported(tree)), path


def looks_pickled(value: bytes) -> bool:
    """Whether bytes begin and end as pickles of protocol 2 and later do."""
    return value[:1] == b"\x80" and value[1:2] in b"\x02\x03\x04\x05" and value.endswith(b".")


def test_nothing_in_redis_is_pickled_and_jobs_are_json(
    tmp_path: Path, github: FakeGitHubProcess
) -> None:
    with Fleet(tmp_path, github.url, MISS_WAIT=1) as fleet:
        worker = fleet.worker()
        reader = fleet.healthy_reader()
        for path in ("/repos/Netflix/Hystrix", "/users/nobody-of-that-name"):
            eventually(lambda path=path: reader.get(path).status_code in {200, 404})  # type: ignore[misc]
        worker.stop()
        assert reader.get("/users/Netflix").status_code == 503  # and so there is a job
        with fleet.redis() as redis:
            values = list(stored(redis))
        assert len(values) > 50
        assert [name for name, value in values if looks_pickled(value)] == []
        with fleet.redis() as redis:
            [job_id] = redis.lrange(f"rq:queue:{QUEUE}", 0, -1)
            job = Job.fetch(job_id.decode(), connection=redis, serializer=JSONSerializer)
            assert (job.func_name, job.args) == ("refresher.jobs.refresh", ["/users/netflix"])


@pytest.fixture
def github() -> Iterator[FakeGitHubProcess]:
    with FakeGitHubProcess(anonymous_limit=1_000_000) as server:
        yield server


def test_what_is_looked_for_would_be_found() -> None:
    # `pickle.dumps(["a"], protocol)`, of protocols 2 to 5.
    frames = (b"", b"", b"\x95\x08" + bytes(7), b"\x95\x08" + bytes(7))
    texts = (b"X\x01\0\0\0aq\x01", b"X\x01\0\0\0aq\x01", b"\x8c\x01a\x94", b"\x8c\x01a\x94")
    for protocol, (frame, text) in enumerate(zip(frames, texts, strict=True), start=2):
        assert looks_pickled(b"\x80" + bytes([protocol]) + frame + b"]" + text + b"a.")
    assert not looks_pickled(b'{"a": 1}')
    tree = ast.parse("import pickle\nfrom xml.sax import parse\neval('1')\nos.system('a')")
    assert set(called(tree)) == {"eval", "os.system"}
    assert set(imported(tree)) == {"pickle", "xml"}
