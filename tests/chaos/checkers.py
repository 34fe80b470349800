"""What must hold, whatever is inflicted: pure functions of the history that give violations."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from tests.chaos.history import (
    Answer,
    Facts,
    Fetch,
    History,
    Inflicted,
    Miss,
    Recovery,
    Sample,
    Stored,
    resource_of,
    version_of,
)
from tests.chaos.schedule import JUMPS, REFUSING

_STARTING = 10.0  # seconds in which a reader that was killed may not answer yet, times slowness
# Seconds by which a response may be late on a machine that is busy; a wrong clock is off by hours.
_TOLERANCE = 30.0
_WARM_UP = 30.0  # seconds of a process's life before it is measured
_SLACK = 0.05  # seconds between two clocks' readings of one moment
_MORE_FILES = 12
_MORE_THREADS = 16  # the clients of one reader, and as many again
_MORE_OF_REFRESHERS = 64  # files and threads: those of the most refreshes at once, and more
_MORE_BYTES = 48 * 1024 * 1024
# Kinds of keys whose number must not depend on how long a run lasts, and the most there may be:
# of one resource each, of one process each, of one job each.
_BY_RESOURCE = 16
_BY_NAME = {
    f"ours:{one}" for one in ("entry", "pages", "record", "failure", "fence", "queued", "asked")
}
# Of one refresh or of one visitor each.
_BY_WAIT = {f"ours:{one}" for one in ("running", "lock", "waits")}
_BY_PROCESS = 64
_BY_JOB = 400


def no_5xx_for_content_once_held(history: History) -> list[str]:
    """A 503 is allowed to a process that never held it, while its Redis is away or empty."""
    held: dict[tuple[int, str], float] = {}
    for answer in sorted(history.answers, key=lambda one: one.ended):
        if answer.is_content and answer.pid is not None:
            held.setdefault((answer.pid, resource_of(answer.path)), answer.ended)
    found = []
    for answer in history.answers:
        if answer.status is None or answer.status < 500:
            continue
        since = None if answer.pid is None else held.get((answer.pid, resource_of(answer.path)))
        was_held = since is not None and since <= answer.began
        if answer.status != 503 or was_held or not _lacks_redis(history, answer):
            found.append(f"{_where(answer)}: {answer.status} {answer.note}")
    return found


def one_version_in_a_response(history: History) -> list[str]:
    """One entity tag is one body; pages, views and encodings are those of the tag's version."""
    found = []
    bodies: dict[tuple[str, str], str] = {}
    for answer in history.answers:
        if answer.status in {200, 404} and answer.digest:
            first = bodies.setdefault((answer.path, answer.etag), answer.digest)
            if first != answer.digest:
                found.append(f"{_where(answer)}: two bodies under {answer.etag}")
    wholes: dict[tuple[str, str], Facts] = {}
    for (path, etag), facts in history.facts.items():
        if path == resource_of(path):
            first_facts = wholes.setdefault((path, version_of(etag)), facts)
            if first_facts.plain != facts.plain:
                found.append(f"{path}: encodings of {etag} differ")
    for (path, etag), facts in history.facts.items():
        whole = wholes.get((resource_of(path), version_of(etag)))
        if path != resource_of(path) and whole is not None and not _is_part(path, facts, whole):
            found.append(f"{path}: {etag} is not of the version that it says")
    return found


def versions_never_go_back(history: History) -> list[str]:
    """What a process answered is never older than what it had answered before that was asked."""
    found = []
    by_process: dict[tuple[int, str, str], list[tuple[Answer, int]]] = defaultdict(list)
    for answer, marks in _marked(history):
        for mark, generation in marks.items():
            if answer.pid is not None:
                key = (answer.pid, resource_of(answer.path), mark)
                by_process[key].append((answer, generation))
    for (_, _, mark), rows in by_process.items():
        ends = sorted(rows, key=lambda row: row[0].ended)
        at, newest = 0, -1
        for answer, generation in sorted(rows, key=lambda row: row[0].began):
            while at < len(ends) and ends[at][0].ended < answer.began:
                newest = max(newest, ends[at][1])
                at += 1
            if generation < newest:
                found.append(f"{_where(answer)}: {mark} {generation} after {newest}")
    return found


def one_fetch_at_a_time(history: History) -> list[str]:
    """No two fetches of a resource overlap that both were stored.

    A report spans its fetch, and a little more; only where no choice of fetches explains two
    reports by one after the other did two overlap.
    """
    fetches = _by_resource(history.fetches)
    by_resource: dict[str, list[Stored]] = defaultdict(list)
    for stored in history.stored:
        by_resource[stored.resource].append(stored)
    found = []
    for resource, reports in by_resource.items():
        reports.sort(key=lambda one: one.began)
        for at, one in enumerate(reports):
            for other in reports[at + 1 :]:
                if other.began >= one.ended:
                    break
                if _must_overlap(
                    _inside(one, fetches[resource]), _inside(other, fetches[resource])
                ):
                    found.append(f"{resource}: jobs {one.job} and {other.job} at {one.began:.2f}")
    return found


def explained(history: History) -> int:
    """How many stored refreshes have a fetch of their resource inside: what can be judged."""
    fetches = _by_resource(history.fetches)
    return sum(bool(_inside(one, fetches[one.resource])) for one in history.stored)


def _by_resource(fetches: Sequence[Fetch]) -> dict[str, list[Fetch]]:
    found: dict[str, list[Fetch]] = defaultdict(list)
    for fetch in fetches:
        found[fetch.resource].append(fetch)
    return found


def freshness_recovers(history: History, *, bound: float) -> list[str]:
    """So many seconds after the last fault healed, every reader serves what GitHub had then."""
    found = []
    for recovery in history.recoveries:
        for row in recovery_times(history, recovery):
            limit = bound + recovery.more
            if row.seconds is None:
                found.append(
                    f"{row}: nothing up to date until {recovery.until - recovery.healed:.1f} s"
                )
            elif row.seconds > limit:
                found.append(f"{row}: behind for {row.seconds:.1f} s, the bound is {limit:.1f} s")
    return found


def answers_come(history: History, *, slowness: float) -> list[str]:
    """Only readers that are killed or stopped may leave a request without an answer."""
    held = [*history.answers, *history.looks]
    unanswered: list[Answer | Miss] = [one for one in held if one.status is None]
    unanswered += [one for one in history.misses if one.status is None]
    return [
        f"{_where(answer)}: {answer.note}"
        for answer in unanswered
        if not any(
            one.fault.subject == f"reader-{answer.port}"
            and one.fault.kind not in JUMPS
            and one.began <= answer.ended
            and answer.began <= one.healed + _STARTING * slowness
            for one in history.inflicted
        )
    ]


def times_are_true(history: History) -> list[str]:
    """Whatever a process's own clock says, and whatever GitHub said of time."""
    found, began = [], _began(history)
    for answer in history.answers:
        times = answer.times
        if not answer.is_content or times is None:
            continue
        wrong = []
        if times.date is None or not _is_near(times.date, answer):
            wrong.append(f"Date {times.date}")
        if times.modified is not None and times.modified > answer.ended + 1:
            wrong.append(f"Last-Modified {times.modified}")
        if not times.age.isdigit() or float(times.age) > answer.ended - began:
            wrong.append(f"Age {times.age}")
        if wrong:
            found.append(f"{_where(answer)}: {', '.join(wrong)}")
    return found


def _is_near(date: float, answer: Answer) -> bool:
    return answer.began - _TOLERANCE <= date <= answer.ended + _TOLERANCE


def _began(history: History) -> float:
    """Seconds before anything was fetched."""
    return min((one.at for one in history.published), default=0.0) - _TOLERANCE


def operators_see_all(history: History) -> list[str]:
    """The status page and the metrics are answered, whatever is broken."""
    return [
        f"{_where(look)}: {look.status} {look.note}"
        for look in history.looks
        if look.status not in {200, None}
    ]


def misses_are_served_or_put_off(history: History) -> list[str]:
    """A visitor gets GitHub's response, or a 429 or 503 that says when to come again."""
    return [
        f"{_where(miss)}: {miss.status} {miss.note}"
        for miss in history.misses
        if miss.status is not None
        and not miss.is_served
        and not (miss.status in {429, 503} and miss.retry_after.isdigit())
    ]


def everyone_gets_a_turn(history: History, *, bound: float) -> list[str]:
    """Every visitor is served within the bound after each healing, and none less than others.

    A visitor requests a name until it has it: no job for which one waited is lost.
    """
    served: dict[int, list[float]] = {miss.visitor: [] for miss in history.misses}
    readers = {miss.visitor: miss.port for miss in history.misses}
    for miss in history.misses:
        if miss.is_served:
            served[miss.visitor].append(miss.ended)
    found = []
    for visitor, ends in sorted(served.items()):
        for recovery in history.recoveries:
            seconds = min(
                (end - recovery.healed for end in ends if end >= recovery.healed), default=None
            )
            if seconds is None or seconds > bound + recovery.more:
                late = "never" if seconds is None else f"after {seconds:.1f} s"
                found.append(f"visitor {visitor}: served {late}, healed at {recovery.healed:.2f}")
        others = [len(served[one]) for one in served if readers[one] == readers[visitor]]
        if len(ends) < median(others) / 2 - 2:
            found.append(
                f"visitor {visitor}: served {len(ends)} times, others {median(others):.0f}"
            )
    return found


def nothing_leaks(history: History) -> list[str]:
    """Processes that lived through, in calms: the median of the last third against the first's."""
    found = []
    by_process: dict[str, list[Sample]] = defaultdict(list)
    for sample in history.samples:
        by_process[sample.process].append(sample)
    for process, samples in by_process.items():
        measured = [one for one in samples if one.at - samples[0].at >= _WARM_UP]
        if len(measured) < 6:
            continue
        third = len(measured) // 3
        for what, more, read in _MEASURED:
            first = median(read(one) for one in measured[:third])
            last = median(read(one) for one in measured[-third:])
            least = _MORE_OF_REFRESHERS if process.startswith("refresher") else 0
            if last > first + max(more(first), least):
                found.append(f"{process}: {what} from {first:.0f} to {last:.0f}")
    most: dict[str, int] = defaultdict(int)
    for _, counts in history.keys:
        for kind, count in counts.items():
            most[kind] = max(most[kind], count)
    names = len({miss.path for miss in history.misses})
    found += [
        f"Redis: {count} keys {kind}"
        for kind, count in most.items()
        if count > _most_keys(kind, names)
    ]
    return found


def nothing_is_left(history: History) -> list[str]:
    """Once nothing is requested any more, no job, place, turn or lock is left."""
    return history.left


_MEASURED: Sequence[tuple[str, Callable[[float], float], Callable[[Sample], int]]] = (
    ("bytes of memory", lambda first: max(_MORE_BYTES, first * 0.3), lambda one: one.rss),
    ("open files", lambda _: _MORE_FILES, lambda one: one.files),
    ("threads", lambda _: _MORE_THREADS, lambda one: one.threads),
)


def _most_keys(kind: str, names: int) -> int:
    """The most keys of a kind there may be, with so many names that visitors requested."""
    if kind.startswith(("rq:job", "rq:results", "rq:execution")):
        return _BY_JOB
    if kind in _BY_WAIT or kind.startswith(("rq:worker", "ours:reader", "ours:refresher")):
        return _BY_PROCESS
    return _BY_RESOURCE + (names if kind in _BY_NAME else 0)


class Recovered:
    """How long a reader was behind in one mark after a healing; None seconds: for ever."""

    def __init__(self, port: int, resource: str, mark: str, seconds: float | None) -> None:
        self.port, self.resource, self.mark, self.seconds = port, resource, mark, seconds

    def __str__(self) -> str:
        return f"reader-{self.port} {self.resource} ({self.mark})"


def recovery_times(history: History, recovery: Recovery) -> list[Recovered]:
    """For each reader, resource and mark: seconds until the last answer that was behind."""
    wanted: dict[str, int] = {}
    for published in history.published:
        if published.at <= recovery.healed:
            wanted[published.mark] = max(wanted.get(published.mark, -1), published.generation)
    behind: dict[tuple[int, str, str], float] = {}
    caught_up: dict[tuple[int, str, str], float] = {}
    subjects: set[tuple[int, str, str]] = set()
    for answer, marks in _marked(history):
        for mark, generation in marks.items():
            if mark not in wanted:
                continue
            key = (answer.port, resource_of(answer.path), mark)
            subjects.add(key)
            if not recovery.healed <= answer.began <= recovery.until:
                continue
            if generation < wanted[mark]:
                behind[key] = max(behind.get(key, 0), answer.ended)
            else:
                caught_up[key] = max(caught_up.get(key, 0), answer.began)
    return [
        Recovered(*key, _seconds(behind.get(key), caught_up.get(key), recovery))
        for key in sorted(subjects)
    ]


def _seconds(behind: float | None, caught_up: float | None, recovery: Recovery) -> float | None:
    if caught_up is None:
        return None
    return 0.0 if behind is None else behind - recovery.healed


def _marked(history: History) -> Iterable[tuple[Answer, Mapping[str, int]]]:
    for answer in history.answers:
        facts = history.facts.get((answer.path, answer.etag))
        if answer.status in {200, 304} and facts is not None:
            yield answer, facts.marks


def _lacks_redis(history: History, answer: Answer) -> bool:
    """Whether the reader's Redis was away, or had lost data and was not filled again.

    One that only refuses writes has what the reader needs.
    """
    recoveries = history.recoveries
    for one in history.inflicted:
        if not _is_of_redis(one, answer.port):
            continue
        refilled = min(
            (r.until for r in recoveries if r.healed >= one.healed), default=float("inf")
        )
        if one.began <= answer.ended and answer.began <= refilled:
            return True
    return False


def _is_of_redis(one: Inflicted, port: int) -> bool:
    if one.fault.kind in REFUSING:
        return False
    return one.fault.subject in {"redis", f"reader-{port} link"}


def _is_part(path: str, facts: Facts, whole: Facts) -> bool:
    if path.startswith("/view/"):
        _, _, direction, count, metric = path.split("/")
        ranked = sorted(
            ((one.name, one.ranks[metric]) for one in whole.items), key=lambda r: (-r[1], r[0])
        )
        number = int(count)
        return facts.view == tuple(ranked[:number] if direction == "top" else ranked[-number:])
    query = dict(part.split("=") for part in path.partition("?")[2].split("&"))
    page, size = int(query["page"]), int(query["per_page"])
    return facts.items == whole.items[(page - 1) * size : page * size]


def _inside(report: Stored, requests: Sequence[Fetch]) -> list[Fetch]:
    """The fetches that the report may be of: by connection, all requests while it lasted."""
    by_connection: dict[int, list[Fetch]] = defaultdict(list)
    for one in requests:
        if report.began - _SLACK <= one.began and one.ended <= report.ended + _SLACK:
            by_connection[one.connection].append(one)
    return [
        Fetch(
            report.resource,
            min(one.began for one in several),
            max(one.ended for one in several),
            connection,
        )
        for connection, several in by_connection.items()
    ]


def _must_overlap(these: Sequence[Fetch], those: Sequence[Fetch]) -> bool:
    pairs = [(a, b) for a in these for b in those if a != b]
    return bool(pairs) and all(a.began < b.ended and b.began < a.ended for a, b in pairs)


def _where(answer: Answer | Miss) -> str:
    if isinstance(answer, Miss):
        return f"{answer.began:.2f} visitor-{answer.visitor}/reader-{answer.port} {answer.path}"
    process = "?" if answer.pid is None else answer.pid
    return f"{answer.began:.2f} reader-{answer.port}/{process} {answer.path}"
