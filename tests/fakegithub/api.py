"""API requests to a stand-in GitHub, with every header under control and no redirects followed."""

from typing import Any
from urllib.parse import urlsplit

from tests.fakegithub.client import Controls
from tests.http_client import Connection, Response, request


def ask(
    github: Controls,
    path: str,
    headers: dict[str, str | None] | None = None,
    *,
    method: str = "GET",
    token: str | None = None,
    body: bytes | None = None,
    timeout: float = 60,
) -> Response:
    """Send one request on a new connection.

    Args:
        path: with query; or an address that the server gave.
        headers: None as a value omits a header that is sent otherwise, such as User-Agent.
        body: sent with its Content-Length, even if empty; None sends neither.
        timeout: seconds for each wait.
    """
    host = urlsplit(github.url).netloc
    usual = {"Host": host, "User-Agent": "tests", "Accept": "application/json"}
    if token:
        usual["Authorization"] = f"Bearer {token}"
    if body is not None:
        usual["Content-Length"] = str(len(body))
    sent = {**usual, **(headers or {})}
    fields = {name: value for name, value in sent.items() if value is not None}
    head = request(path.removeprefix(f"http://{host}"), method=method, **fields)
    with Connection(github.url, timeout=timeout) as connection:
        connection.send(head + (body or b""))
        return connection.receive(method=method)


def all_pages(github: Controls, path: str, *, token: str | None = None) -> list[Any]:
    """Every item of a list, by following `Link`'s next."""
    items: list[Any] = []
    url: str | None = path
    while url:
        response = ask(github, url, token=token)
        items += response.json
        url = response.links.get("next")
    return items
