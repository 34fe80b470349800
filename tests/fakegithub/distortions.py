"""The effects of faults on a response; `response_writer` has their effects on the socket."""

import json
import re
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from tests.fakegithub import answers, api_responses
from tests.fakegithub.api_responses import ApiResponse
from tests.fakegithub.faults import Fault
from tests.fakegithub.http_messages import KNOWN_STATUSES, compact_json

FIRST_ID: Final = 1_000_000_000  # all of the same length
MESSAGES: Final = {
    405: "Method Not Allowed",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    422: "Validation Failed",
    500: "Server Error",
    502: "Server Error",
    503: "Service Unavailable",
}


def replacement(fault: Fault, *, credential: str, peer: str) -> ApiResponse | None:
    """The response that a fault puts in place of any; None if it changes the right one."""
    match fault.kind:
        case "status":
            return status(fault)
        case "html":
            code, page = fault.status or 502, api_responses.UNICORN.encode()
            return ApiResponse(code, page, "text/html; charset=utf-8", metered=False, limited=False)
        case "ratelimited":
            return replace(api_responses.rate_limited(credential, peer), left=fault.reset_in)
        case "secondary":
            return api_responses.secondary_limit(fault.status or 429, fault.retry_after)
        case _:
            return answers.answer(fault, peer=peer)


def status(fault: Fault) -> ApiResponse:
    """A response of any status, with an error body of GitHub's form."""
    code = fault.status or 500
    phrase = HTTPStatus(code).phrase if code in KNOWN_STATUSES else "Unknown"
    return replace(
        api_responses.error(code, fault.message or MESSAGES.get(code, phrase)), metered=False
    )


def distorted(fault: Fault, response: ApiResponse) -> ApiResponse:
    """The right response, spoilt as the fault says; an error response stays as it is."""
    if response.status not in (200, 201):
        return response
    match fault.kind:
        case "garbage":
            body = response.body[:-1] + b',{"id":' if fault.body is None else fault.body.encode()
        case "empty":
            body = b""
        case "wrong_shape":
            body = other_shape(fault, response.body)
        case "huge":
            body = huge_list(fault.size)
        case "foreign_link" | "link_loop" | "other_base" | "no_link" | "short_list" | "empty_list":
            body = response.body
        case _:
            return response
    # Never a 304: it would have neither the body nor the Link that are to be spoilt.
    return replace(response, body=body, conditional=False)


def other_shape(fault: Fault, body: bytes) -> bytes:
    """A list for an object, an object for a list, or the body the fault brings."""
    if fault.body is not None:
        return fault.body.encode()
    if body.startswith(b"["):
        return compact_json({"message": "An object where a list belongs"})
    return compact_json([json.loads(body)])


def huge_list(size: int) -> bytes:
    """A valid JSON list of exactly `size` bytes, 2,000 or more, of items of about 1 kB."""
    filler = b"x" * 975
    count = (size - 1100) // 1010
    parts = [b'{"id":%d,"filler":"%b"}' % (FIRST_ID + number, filler) for number in range(count)]
    last = b'{"id":%d,"filler":"' % (FIRST_ID + count)
    used = sum(map(len, parts)) + len(parts) + len(b"[]") + len(last) + len(b'"}')
    parts.append(last + b"x" * (size - used) + b'"}')
    return b"[" + b",".join(parts) + b"]"


def spoilt_link(fault: Fault, link: str | None, *, first: str, path: str) -> str | None:
    """The `Link` spoilt: with another `next`, with another base of all targets, or None for none.

    `first` is the address of the list's first page here, `path` its next page's on any host.
    """
    if fault.kind == "no_link":
        return None
    if fault.kind == "other_base":
        return re.sub(r"<https?://[^/>]+", f"<{fault.url}", link or "") or None
    if fault.kind == "foreign_link":
        target = fault.url + path
    elif fault.kind == "link_loop":
        target = first
    else:
        return link
    others = [part for part in (link or "").split(", ") if part and 'rel="next"' not in part]
    return ", ".join([f'<{target}>; rel="next"', *others])
