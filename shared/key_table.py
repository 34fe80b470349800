"""The type of each Redis key, and how long it is kept: `keys` and RQ's, as a table.

A value of another type, or one that should expire and never does, is damage: somebody's tool, a
restored dump, or a mistake. What is damaged is removed or given an expiry (`refresher.storage.
mending`), because everything in Redis can be fetched or counted anew. A test compares the table
with the one in `keys`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from rq.cron_scheduler_registry import get_registry_key

from shared.queueing import QUEUE
from shared.redis import keys

_MINUTE, _HOUR, _DAY = 60, 3600, 24 * 3600
# Of locks: whoever holds one extends it before.
_HOLDER = 10


class Type(StrEnum):
    """The types of values, as `TYPE` names them."""

    STRING = "string"
    HASH = "hash"
    LIST = "list"
    SET = "set"
    ZSET = "zset"
    STREAM = "stream"


@dataclass(frozen=True)
class KeyForm:
    """A key, or all keys that differ in their ids only.

    Args:
        name: the key; `*` stands for an id.
        type: of its value.
        kept: seconds for which a value without an expiry is kept; None if it never expires.
        is_content: on demand it expires as its entry does, tracked it never does.
        is_job: it is a record of a job, and expires unless the job is in the queue.
    """

    name: str
    type: Type
    kept: int | None = None
    is_content: bool = False
    is_job: bool = False

    @property
    def is_single(self) -> bool:
        """Whether there is one such key."""
        return "*" not in self.name


_STRING, _HASH, _LIST, _ZSET, _STREAM = Type.STRING, Type.HASH, Type.LIST, Type.ZSET, Type.STREAM

# Names without the prefix, in the order of the table in `keys`.
_OURS = (
    KeyForm("entry:*", _HASH, is_content=True),
    KeyForm("pages:*", _HASH, is_content=True),
    KeyForm("segments:*", _HASH, is_content=True),
    KeyForm("reading:*", _HASH, _HOUR),
    KeyForm("failure:*", _STRING, _DAY),
    KeyForm("suspicion:*", _STRING, _DAY),
    KeyForm("fence:*", _STRING, _HOUR),
    KeyForm("changes", _STRING),
    KeyForm("events", _ZSET, _DAY),
    KeyForm("withdrawn", _HASH, 30 * _DAY),
    KeyForm("withdrawn:revision", _STRING),
    KeyForm("withdrawn:shown", _HASH, _HOUR),
    KeyForm("feed", _STREAM),
    KeyForm("feed:on-demand", _STREAM),
    KeyForm("budget:*:*", _HASH, 2 * _HOUR),
    KeyForm("set-aside:*", _HASH, _HOUR),
    KeyForm("refused:*", _HASH, _DAY),
    KeyForm("classes", _HASH),
    KeyForm("app-token:*", _STRING, _HOUR),
    KeyForm("app-renewal:*", _STRING, _MINUTE),
    KeyForm("points", _HASH, 2 * _MINUTE),
    KeyForm("in-flight", _ZSET, _HOUR),
    KeyForm("paused", _HASH, _HOUR),
    KeyForm("pauses", _STRING, _HOUR),
    KeyForm("running:*", _STRING, _HOLDER),
    KeyForm("large", Type.SET),
    KeyForm("invalidated:*", _STRING, _DAY),
    KeyForm("invalidated:*:items", _ZSET, _DAY),
    KeyForm("invalidated:*:looks", _STRING, _DAY),
    KeyForm("invalidated:*:replaced", _ZSET, _MINUTE),
    KeyForm("looks", _ZSET),
    KeyForm("drift", _LIST, 7 * _DAY),
    KeyForm("drift:doubts", _HASH, 7 * _DAY),
    KeyForm("drift:turn", _STRING, _HOUR),
    KeyForm("delivery:*", _STRING, 3 * _DAY),
    KeyForm("deliveries", _HASH, 30 * _DAY),
    KeyForm("redelivery", _STRING, _HOUR),
    KeyForm("redelivery:report", _STRING, _DAY),
    KeyForm("redelivery:hook:*", _STRING, 4 * _DAY),
    KeyForm("redelivery:lost:*", _HASH, 4 * _DAY),
    KeyForm("redelivery:wait:*", _STRING, _HOUR),
    KeyForm("asked:*", _STRING, 1),
    KeyForm("queued:*", _STRING, _HOUR),
    KeyForm("order:*:*", _ZSET),
    KeyForm("places", _HASH),
    KeyForm("turns:*", _ZSET),
    KeyForm("turns:*:count", _STRING, _HOUR),
    KeyForm("bell:*", _LIST),
    KeyForm("picks:*", _STRING),
    KeyForm("waits:*", _ZSET, _MINUTE),
    KeyForm("pace", _HASH, 10 * _MINUTE),
    KeyForm("ahead:*", _STRING, _DAY),
    KeyForm("forgotten:*", _STRING, _DAY),
    KeyForm("suspended", _STRING),
    KeyForm("resumed", _STRING, 2 * _HOUR),
    KeyForm("refresher:*", _HASH, 10 * _MINUTE),
    KeyForm("measures", _HASH),
    KeyForm("origin", _HASH),
    KeyForm("origin-open", _STRING, _HOUR),
    KeyForm("record:*", _HASH, 30 * _DAY),
    KeyForm("progress:*", _STRING, _MINUTE),
    KeyForm("timeline:*", _LIST),
    KeyForm("budgets", _ZSET),
    KeyForm("budget-history:*:*", _HASH, 7 * _HOUR),
    KeyForm("credential:*", _HASH, _DAY),
    KeyForm("privileges:*", _HASH, _DAY),
    KeyForm("unknown-fields", _HASH, 7 * _DAY),
    KeyForm("readers", _ZSET),
    KeyForm("reader:*", _STRING, 20),
    KeyForm("session:*", _STRING, 12 * _HOUR),
    KeyForm("guesses:*", _STRING, 3 * _MINUTE),
    KeyForm("popular:*", _ZSET, 2 * _HOUR),
    KeyForm("spent:*:*", _ZSET, 2 * _HOUR),
    KeyForm("tracked", _ZSET),
    KeyForm("kept", _ZSET),
    KeyForm("kept-sizes", _HASH),
    KeyForm("mended", _LIST, 7 * _DAY),
    KeyForm("mending", _STRING, _MINUTE),
    KeyForm("clock", _STRING),
    KeyForm("clock:turn", _STRING, _MINUTE),
    KeyForm("holds", _HASH, _DAY),
    KeyForm("holds:turn", _STRING, _MINUTE),
)
_LOCK = KeyForm(f"redlock:{keys.PREFIX}:lock:*", _STRING, _HOLDER)
# RQ's keys, of our queue only. `rq:suspended` is not among them: whatever it holds, an operator has
# paused refreshing.
_RQ = (
    KeyForm(f"rq:queue:{QUEUE}", _LIST),
    KeyForm("rq:queues", Type.SET),
    KeyForm("rq:job:*", _HASH, is_job=True),
    KeyForm("rq:workers", Type.SET),
    KeyForm(f"rq:workers:{QUEUE}", Type.SET),
    KeyForm("rq:worker:*", _HASH, 10 * _MINUTE),
    KeyForm("rq:worker:*:executions", Type.SET),
    KeyForm("rq:executions:*", _ZSET, is_job=True),
    *(
        KeyForm(f"rq:{registry}:{QUEUE}", _ZSET)
        for registry in ("wip", "finished", "failed", "deferred", "scheduled", "canceled")
    ),
    KeyForm(get_registry_key(), _ZSET),
)
# Keys of RQ that look like one of its other keys, and that we do not use.
_OTHERS = re.compile(r"rq:job:.*:(dependents|dependencies)|rq:job::.*")
OUR_FORMS = tuple(
    KeyForm(f"{keys.PREFIX}:{form.name}", form.type, form.kept, form.is_content) for form in _OURS
)
FORMS = (*OUR_FORMS, _LOCK, *_RQ)
# What `SCAN` has to match to meet all of them.
LOCKS = f"redlock:{keys.PREFIX}:*"
PATTERNS = (f"{keys.PREFIX}:*", LOCKS, "rq:*")

_SINGLE = {form.name: form for form in FORMS if form.is_single}
# The longest names first: `turns:*:count` is no `turns:*`.
_COMPILED = tuple(
    (re.compile(re.escape(form.name).replace(r"\*", ".+")), form)
    for form in sorted(FORMS, key=lambda form: -len(form.name))
    if not form.is_single
)


# Other programs may use RQ in the same database.
_OUR_JOB = re.compile(r"rq:(?:job|executions):([0-9a-f]{32}-[0-9a-f]{32})")


def our_job_of(key: str) -> str:
    """The id of our job that a key is a record of; empty if it is another program's."""
    found = _OUR_JOB.fullmatch(key)
    return found[1] if found else ""


def form_of(key: str) -> KeyForm | None:
    """The form of a key; None if it is neither ours nor one of those of RQ's that we use."""
    single = _SINGLE.get(key)
    if single is not None:
        return single
    if _OTHERS.fullmatch(key):
        return None
    return next((form for pattern, form in _COMPILED if pattern.fullmatch(key)), None)
