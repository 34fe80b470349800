"""Where GitHub refuses a credential, as the refreshers noted it: the reading side.

In Redis it is a hash from the place to `at until message`. The refresher's script that reserves
requests reads it by the same rules.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.time_bounds import LONGEST_PAUSE, is_past, time_of

_VALUE = re.compile(rb"([0-9]+(?:\.[0-9]+)?) ([0-9]+(?:\.[0-9]+)?) (.*)", re.DOTALL)


@dataclass(frozen=True)
class CredentialRefusal:
    """A place in which GitHub refuses a credential.

    Args:
        place: an owner, or an owner and GitHub's id of an operation.
        message: GitHub's, in one line.
        at: Unix time in seconds of the refusal.
        until: Unix time in seconds until when the credential is not used there.
    """

    place: str
    message: str
    at: float
    until: float


def refusals_in(
    known: Mapping[bytes, bytes], *, resumed: float, now: float
) -> Sequence[CredentialRefusal]:
    """The refusals of the last hour that are in a hash, the latest first.

    Args:
        known: the hash `keys.refused`; damaged values are left out.
        resumed: time of the operator's last "resume"; 0 if there was none.
        now: Unix time in seconds, by Redis's clock.
    """
    found = []
    for place, value in known.items():
        parts = _VALUE.fullmatch(value)
        if parts is None:
            continue
        at, until = time_of(parts[1]), time_of(parts[2])
        if is_past(at, now) and at > max(resumed, now - LONGEST_PAUSE):
            until = min(until, at + LONGEST_PAUSE)
            message = parts[3].decode(errors="replace")
            found.append(CredentialRefusal(place.decode(errors="replace"), message, at, until))
    return tuple(sorted(found, key=lambda one: -one.at))
