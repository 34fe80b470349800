"""A finding of `doctor`."""

from dataclasses import dataclass
from enum import StrEnum

from reader.status.statement import Level


class Verdict(StrEnum):
    """How bad a finding is, the worst first."""

    PROBLEM = "problem"  # it does not work, or content can be lost
    WARNING = "warning"  # it works, but will not for long, or not safely
    NOTE = "note"  # worth knowing
    OK = "ok"


# The verdict for each level of the status page's statements.
VERDICTS = {
    Level.BAD: Verdict.PROBLEM,
    Level.WARN: Verdict.WARNING,
    Level.NOTE: Verdict.NOTE,
    Level.GOOD: Verdict.OK,
}


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Args:
        about: its subject, such as "redis".
        verdict: how bad it is.
        found: what was found, in a sentence.
        advice: what to do about it; empty if there is nothing to do.
    """

    about: str
    verdict: Verdict
    found: str
    advice: str = ""
