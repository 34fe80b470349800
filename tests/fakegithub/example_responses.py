"""Responses from the examples in GitHub's description, for the world and the viewer."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.fakegithub import forms, openapi_examples
from tests.fakegithub.access import admitted
from tests.fakegithub.openapi_examples import Operation
from tests.fakegithub.route_targets import Listing, Refusal, RouteContext, RouteTarget, Single
from tests.fakegithub.viewers import Viewer
from tests.fakegithub.world import Repository

# Lists whose media type `star` has the time of each star, and the key of the item there.
STARRED: Final = {
    "activity/list-repos-starred-by-user": "repo",
    "activity/list-repos-starred-by-authenticated-user": "repo",
    "activity/list-stargazers-for-repo": "user",
}


def find_example(
    context: RouteContext, path: str, *, repo: Repository | None = None, numeric: str | None = None
) -> RouteTarget:
    """The example for a path that has no route of its own.

    Args:
        context: world and viewer.
        path: in its form with names.
        repo: the repository above the path, if known already.
        numeric: the path in its numeric form, if it has one.
    """
    if (matched := openapi_examples.match(path)) is None:
        return None
    operation, values = matched
    if repo is None and "repo" in values:
        repo = context.world.repo(values["owner"], values["repo"])
        if repo is None or not context.viewer.sees(repo):
            return None
    logins = [values[name] for name in ("org", "username") if name in values]
    if not all(context.world.account(login) for login in logins):
        return None
    if not admitted(operation.who, context.viewer, repo):
        return refusal(operation, context.viewer)
    body = from_example(operation, context.viewer, repo)
    found = paged(body, path, numeric or path) if operation.pages else single(body)
    starred = STARRED.get(operation.id)
    if starred and isinstance(found, Listing):
        return replace(found, media={"star": star(starred)})
    return found


def star(key: str) -> Callable[[str, Any], dict[str, Any]]:
    """An item of a list of stars with the time of the star; the item itself is under `key`."""

    def render(base: str, item: Any) -> dict[str, Any]:
        return {"starred_at": "2025-06-01T12:00:00Z", key: with_base(base, item)}

    return render


def single(body: Any) -> Single:
    """An example that is not paged."""
    return Single(lambda base: with_base(base, body))


def paged(body: Any, path: str, numeric: str) -> Single | Listing:
    """An example that is paged: a list, or an object that holds one."""
    if isinstance(body, list):
        return Listing(numeric, path, body, with_base)
    name = next((key for key, value in body.items() if isinstance(value, list)), None)
    if name is None:
        return single(body)

    def around(base: str, items: list[Any]) -> dict[str, Any]:
        return {key: items if key == name else with_base(base, body[key]) for key in body}

    return Listing(numeric, path, body[name], with_base, around)


def refusal(operation: Operation, viewer: Viewer) -> Refusal | None:
    """The refusal for a viewer who may not request the operation; None is a 404."""
    if operation.who == "app":
        return Refusal(401, "A JSON web token could not be decoded")
    if not viewer.authenticated and (operation.who == "caller" or "401" in operation.statuses):
        return Refusal(401, "Requires authentication")
    if "403" in operation.statuses:
        return Refusal(403, "Must have push access to repository")
    return None


def from_example(operation: Operation, viewer: Viewer, repo: Repository | None) -> Any:
    """The example of an operation, trimmed, with one more item for viewers who may see it."""
    body = forms.trimmed(operation.body, viewer)
    values = list(body.values()) if isinstance(body, dict) else []
    items = next((value for value in [body, *values] if isinstance(value, list)), None)
    if not items:
        return body
    if operation.id in openapi_examples.EMPTY_FOR_OTHERS:
        items.clear()
    elif admitted(openapi_examples.MORE_FOR.get(operation.id, "nobody"), viewer, repo):
        items.insert(0, forms.hidden(items[0]))
        if isinstance(body, dict) and "total_count" in body:
            body["total_count"] += 1
    return body


def with_base(base: str, value: Any) -> Any:
    """An example with the base address of this server's bodies."""
    if base == openapi_examples.GITHUB:
        return value
    if isinstance(value, list):
        return [with_base(base, item) for item in value]
    if isinstance(value, dict):
        return {key: with_base(base, item) for key, item in value.items()}
    if isinstance(value, str) and value.startswith(openapi_examples.GITHUB):
        return base + value.removeprefix(openapi_examples.GITHUB)
    return value
