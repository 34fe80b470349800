import re
from enum import StrEnum

import pytest

from shared.outcomes import FailureKind, RefreshOutcome, Served


@pytest.mark.parametrize("vocabulary", [Served, RefreshOutcome, FailureKind])
def test_every_word_can_stand_in_a_header_a_label_and_a_log(vocabulary: type[StrEnum]) -> None:
    # A token of RFC 9110 section 5.6.2 that needs no quoting as a structured field (RFC 9651).
    assert all(re.fullmatch(r"[a-z][a-z-]*", word) for word in vocabulary)
