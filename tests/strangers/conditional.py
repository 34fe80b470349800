"""Conditional requests of http-cache-tests: what is sent in which case, and what is asked for.

`http_cache_tests.tsv` has one a line, its columns separated by tabs: its name; its kind in the
suite ("required", "optimal", "check"); RFC and section; the case; what is sent; what is asked for;
what is given; why it is so, or `-`. Fields are separated by ` | `.

The cases: a client asks for content that is `fresh`, `stale` or `not held`; or stored content is
`revalidated` at GitHub, which had sent the fields, `with another credential` or the same.
`{ETag}` is the reader's own tag, `{opaque ETag}` the same without quotes; `{Last-Modified-10}` is
ten seconds before `Last-Modified`, and `{rfc850 Last-Modified}` the same in the form of RFC 850.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

CASES = Path(__file__).with_name("http_cache_tests.tsv")
_FIELD = re.compile(r"\{(opaque |rfc850 )?(ETag|Last-Modified)([+-]\d+)?\}")


class Case(NamedTuple):
    """One line of the file."""

    name: str
    kind: str
    section: str
    case: str
    sent: str
    asked: str
    given: str
    why: str

    def fields(self, last: Mapping[str, str]) -> dict[str, str]:
        """The fields that are sent.

        Args:
            last: fields of the last answer, by lower-case name.
        """

        def of_last(found: re.Match[str]) -> str:
            form, name, seconds = found.groups()
            value = last[name.lower()]
            if name == "ETag":
                return value.strip('"') if form else value
            date = parsedate_to_datetime(value) + timedelta(seconds=int(seconds or 0))
            return f"{date:%A, %d-%b-%y %H:%M:%S} GMT" if form else format_datetime(date, True)

        pairs = [field.partition(": ") for field in self.sent.split(" | ")]
        return {name: _FIELD.sub(of_last, value) for name, _, value in pairs}


def read_cases() -> list[Case]:
    """All cases; lines that begin with `#` are remarks."""
    lines = CASES.read_text().splitlines()
    return [Case(*line.split("\t")) for line in lines if not line.startswith("#")]
