"""What GitHub's description has at a path, for what the world holds and for who asks."""

from typing import Any

from tests.fakegithub import described, forms
from tests.fakegithub.access import admitted
from tests.fakegithub.described import Operation
from tests.fakegithub.found import Asked, Found, Listing, Refusal, Single
from tests.fakegithub.viewers import Viewer
from tests.fakegithub.world import Repository


def documented(
    asked: Asked, path: str, *, repo: Repository | None = None, numeric: str | None = None
) -> Found:
    """The answer to a path that has no route of its own.

    Args:
        asked: who asks, and of which world.
        path: the path in its form with names.
        repo: the repository that it is below, where that is known already.
        numeric: the path in its numeric form, if it has one.
    """
    if (matched := described.match(path)) is None:
        return None
    operation, values = matched
    if repo is None and "repo" in values:
        repo = asked.world.repo(values["owner"], values["repo"])
        if repo is None or not asked.viewer.sees(repo):
            return None
    logins = [values[name] for name in ("org", "username") if name in values]
    if not all(asked.world.account(login) for login in logins):
        return None
    if not admitted(operation.who, asked.viewer, repo):
        return refusal(operation, asked.viewer)
    body = from_example(operation, asked.viewer, repo)
    return paged(body, path, numeric or path) if operation.pages else single(body)


def single(body: Any) -> Single:
    """An example that comes as a whole."""
    return Single(lambda base: with_base(base, body))


def paged(body: Any, path: str, numeric: str) -> Found:
    """An example of which a page is asked for: a list, or an object that holds one."""
    if isinstance(body, list):
        return Listing(numeric, path, body, with_base)
    name = next((key for key, value in body.items() if isinstance(value, list)), None)
    if name is None:
        return single(body)

    def around(base: str, items: list[Any]) -> dict[str, Any]:
        return {key: items if key == name else with_base(base, body[key]) for key in body}

    return Listing(numeric, path, body[name], with_base, around)


def refusal(operation: Operation, viewer: Viewer) -> Refusal | None:
    """What is said to those who may not ask; None is a 404."""
    if operation.who == "app":
        return Refusal(401, "A JSON web token could not be decoded")
    if not viewer.authenticated and (operation.who == "caller" or "401" in operation.statuses):
        return Refusal(401, "Requires authentication")
    if "403" in operation.statuses:
        return Refusal(403, "Must have push access to repository")
    return None


def from_example(operation: Operation, viewer: Viewer, repo: Repository | None) -> Any:
    """The example of an operation, trimmed, and longer for those who are shown more."""
    body = forms.trimmed(operation.body, viewer)
    values = list(body.values()) if isinstance(body, dict) else []
    items = next((value for value in [body, *values] if isinstance(value, list)), None)
    if not items:
        return body
    if operation.id in described.EMPTY_FOR_OTHERS:
        items.clear()
    elif admitted(described.MORE_FOR.get(operation.id, "nobody"), viewer, repo):
        items.insert(0, forms.hidden(items[0]))
        if isinstance(body, dict) and "total_count" in body:
            body["total_count"] += 1
    return body


def with_base(base: str, value: Any) -> Any:
    """An example with the addresses of this server's bodies."""
    if base == described.GITHUB:
        return value
    if isinstance(value, list):
        return [with_base(base, item) for item in value]
    if isinstance(value, dict):
        return {key: with_base(base, item) for key, item in value.items()}
    if isinstance(value, str) and value.startswith(described.GITHUB):
        return base + value.removeprefix(described.GITHUB)
    return value
