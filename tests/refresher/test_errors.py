"""Errors say in one line why a refresh stops."""

from refresher.errors import OriginError
from shared.outcomes import FailureKind


def test_an_origin_error_reads_as_its_reason() -> None:
    error = OriginError(FailureKind.STATUS, "GitHub answered 500", status=500, retry_after=3)
    assert (str(error), error.kind, error.status, error.retry_after) == (
        "GitHub answered 500",
        FailureKind.STATUS,
        500,
        3,
    )
