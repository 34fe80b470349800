"""Ask a stand-in GitHub something, with every byte under control: no redirects, no decoding."""

import gzip
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.fakegithub.client import Controls


@dataclass(frozen=True)
class Answered:
    """What came back; header names in lower case, the body as it was on the wire."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> bytes:
        """The body without its compression."""
        return gzip.decompress(self.raw) if "content-encoding" in self.headers else self.raw

    @property
    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)

    @property
    def links(self) -> dict[str, str]:
        """The `Link` header as rel -> address, in the header's order."""
        parts = [part.split(">; rel=") for part in self.headers.get("link", "").split(", ") if part]
        return {rel.strip('"'): url.lstrip("<") for url, rel in parts}


def ask(
    github: Controls,
    path: str,
    headers: dict[str, str | None] | None = None,
    *,
    method: str = "GET",
    token: str | None = None,
    body: bytes | None = None,
    timeout: float = 10,
) -> Answered:
    """One request on a connection of its own; `path` may be an address the server gave.

    A header of None is left out, such as the User-Agent that is sent otherwise. A body, even an
    empty one, has its Content-Length.
    """
    target = path.removeprefix("http://" + urlsplit(github.url).netloc)
    fields: dict[str, str | None] = {"User-Agent": "tests", "Accept": "application/json"}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    if body is not None:
        fields["Content-Length"] = str(len(body))
    connection = http.client.HTTPConnection(urlsplit(github.url).netloc, timeout=timeout)
    try:
        own_host = "Host" in (headers or {})
        connection.putrequest(method, target, skip_host=own_host, skip_accept_encoding=True)
        for name, value in {**fields, **(headers or {})}.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, names, response.read())
    finally:
        connection.close()


def all_pages(github: Controls, path: str, *, token: str | None = None) -> list[Any]:
    """Every item of a list, by following `Link`'s next."""
    items: list[Any] = []
    url: str | None = path
    while url:
        answered = ask(github, url, token=token)
        items += answered.json
        url = answered.links.get("next")
    return items
