"""Writes `docs/http-probes.md` from the files of probes: `python -m tests.strangers.page`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.strangers.conditional import Case, read_cases
from tests.strangers.probes import Probe, read_probes

FOLDER = Path(__file__).parent
PROBES, REASONS = FOLDER / "http11probe.tsv", FOLDER / "http11probe_reasons.tsv"
PAGE = FOLDER.parents[1] / "docs" / "http-probes.md"
LEVELS = ("MUST", "SHOULD", "ought to", "MAY", "practice", "unscored")
VERDICTS = ("as asked", "tolerated", "differs")

_INTRODUCTION = """\
# How readers answer the test suites of others

Two public suites are tried on the reader in each run of the tests. This page is generated from
their cases and the reader's answers by `python -m tests.strangers.page`. The tests fail if an
answer, or this page, differs from the files of cases. [strangers.md](strangers.md) lists what else
of others the tests use.

## Http11Probe

[Http11Probe](https://github.com/MDA2AV/Http11Probe) (MIT) sends 215 requests that are malformed,
ambiguous, too large, or merely unusual. `tests/strangers/http11probe.tsv` has them, and
`tests/end_to_end/test_http_probes.py` sends them to a reader over sockets, in two seconds. Behind
each it sends another request, so that a byte that is left over would show.

- **as asked**: the answer that the suite asks for. **tolerated**: the suite warns of it, and the
  RFC permits it. **differs**: the suite counts it as failed.
- The suite expects a server that takes any method. The reader refuses all but `GET`, `HEAD` and
  `OPTIONS` with 405 once it has understood the request; this counts as a 2xx.
- `closed`: the connection ends. `open`: the next request on it is answered. `waits`: the server
  waits for more. `!414`: any other status.
- `practice`: no RFC says it. `unscored`: the suite does not count it.

Seven probes of the level MUST get another answer than the suite asks for: each is a refusal, after
which the connection is closed, so that nothing is left to be smuggled. The suite found one fault: a
request without `Host` was served. It is a 400 now, for all paths except the two health checks
(`/livez`, `/healthcheck`), which do not read `Host`: a process is not dead because a load balancer
is careless.
"""

_CONDITIONAL = """\
## http-cache-tests

[http-cache-tests](https://github.com/http-tests/cache-tests) (BSD, 3 clauses) has 26 cases of
conditional requests; `tests/strangers/http_cache_tests.tsv` has them, and
`tests/strangers/test_conditional.py` tries them. The suite's origin chooses ETags; the reader has
its own, which are strong. So what is tried of an odd ETag is how the reader takes it from a client,
and how refreshers send it back to GitHub. `required`: a MUST. `optimal`: what a good cache does.
`check`: the suite only looks.
"""


def read_reasons() -> dict[str, str]:
    """Why an answer is not the one that is asked for, by the name of the probe."""
    lines = [line for line in REASONS.read_text().splitlines() if not line.startswith("#")]
    pairs = [line.split("\t") for line in lines]
    return {name: reason for names, reason in pairs for name in names.split(" ")}


def page() -> str:
    """The whole page."""
    probes, reasons = read_probes(PROBES), read_reasons()
    others = [probe for probe in probes if probe.verdict != "as asked"]
    counts = Counter((probe.level, probe.verdict) for probe in probes)
    summary = [[level, *(str(counts[level, verdict]) for verdict in VERDICTS)] for level in LEVELS]
    parts = [
        _INTRODUCTION,
        _table(["level", *VERDICTS], summary),
        "### Other answers than those asked for, and why\n",
        _table(
            ["probes", "level", "asked for", "answer", "why"],
            [_explained(probes) for probes in _by_reason(others, reasons)],
        ),
        _CONDITIONAL,
        _table(
            ["case", "kind", "RFC", "sent", "asked for", "given", "why"], map(_row, read_cases())
        ),
        "## All probes\n",
        _table(
            ["probe", "level", "RFC", "asked for", "answer"],
            [[f"`{one.name}`", one.level, one.section, one.asked, one.given] for one in probes],
        ),
    ]
    return "\n".join(parts)


def _by_reason(
    probes: Sequence[Probe], reasons: dict[str, str]
) -> Iterable[tuple[str, list[Probe]]]:
    for reason in dict.fromkeys(reasons.values()):
        yield reason, [probe for probe in probes if reasons[probe.name] == reason]


def _explained(group: tuple[str, list[Probe]]) -> list[str]:
    reason, probes = group
    columns = [
        [f"`{probe.name}`" for probe in probes],
        *([getattr(probe, name) for probe in probes] for name in ("level", "asked", "given")),
    ]
    return [*("; ".join(dict.fromkeys(column)) for column in columns), reason]


def _row(case: Case) -> list[str]:
    sent = f"`{case.sent.replace(' | ', '`, `')}`"
    where = sent if case.case == "fresh" else f"{case.case}: {sent}"
    why = "" if case.why == "-" else case.why
    return [f"`{case.name}`", case.kind, case.section, where, case.asked, case.given, why]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
