"""What is sent for an error, whoever found it: the front, the event loop or Flask."""

from reader.errors import ApiError, error_body
from reader.response.response import CORS_HEADERS, HttpResponse
from shared.github_form import JSON


def refusal(error: ApiError) -> HttpResponse:
    """The answer to a request that is refused."""
    body = error_body(error.status, error.message)
    headers = {
        "Content-Type": JSON,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        **CORS_HEADERS,
        **error.headers,
    }
    return HttpResponse(error.status, headers, body)
