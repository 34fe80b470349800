"""Which events withdraw a repository, and which end that: a pure function of the event.

https://docs.github.com/webhooks/webhook-events-and-payloads#repository
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TIME = re.compile(r"[0-9T:.Z+-]{1,40}")


@dataclass(frozen=True)
class Verdict:
    """What an event says of whether a repository is public.

    Args:
        repositories: its full names and its id, as `shared.withdrawal` spells them; empty if the
            event says nothing.
        is_withdrawn: it is not public any longer.
        updated_at: when GitHub changed it last, as GitHub writes it; empty if that is not said.
    """

    repositories: Sequence[str] = ()
    is_withdrawn: bool = False
    updated_at: str = ""


NOTHING_SAID = Verdict()


def verdict(event: str, payload: Mapping[str, Any], *, include_private: bool) -> Verdict:
    """What an event says of whether a repository is public.

    A repository that was private all the time is not named to anybody: its deletion says nothing.

    Args:
        event: value of `X-GitHub-Event`.
        payload: the delivery's body.
        include_private: private repositories are admitted; deleted ones are withdrawn all the same.
    """
    about = payload.get("repository")
    if event not in {"repository", "public"} or not isinstance(about, Mapping):
        return NOTHING_SAID
    action = payload.get("action")
    is_private = about.get("private") is True and not include_private
    if action == "deleted":
        is_withdrawn = not is_private
    else:
        is_withdrawn = not include_private and (
            action == "privatized" or (is_private and _was_public(payload))
        )
    if not is_withdrawn and (is_private or action == "deleted"):
        return NOTHING_SAID
    names = _names(about, payload) if is_withdrawn else _names(about, {})
    return Verdict(names, is_withdrawn, _time(about.get("updated_at")))


def _time(value: Any) -> str:
    """A time as GitHub writes it; empty for anything else."""
    return value if isinstance(value, str) and _TIME.fullmatch(value) else ""


def _was_public(payload: Mapping[str, Any]) -> bool:
    """Whether the event says that a private repository was public before."""
    return (
        _value(payload, "changes", "private", "from") is False
        or _value(payload, "changes", "visibility", "from") == "public"
    )


def _names(about: Mapping[str, Any], payload: Mapping[str, Any]) -> list[str]:
    """The names and the id of a repository; with its former names, if the payload has some."""
    name, login = about.get("name"), _value(about, "owner", "login")
    found = [about.get("full_name")]
    if isinstance(name, str) and isinstance(login, str):
        found.append(f"{login}/{name}")
    former = _value(payload, "changes", "repository", "name", "from")
    if isinstance(former, str) and isinstance(login, str):
        found.append(f"{login}/{former}")
    for kind in ("organization", "user"):
        owner = _value(payload, "changes", "owner", "from", kind, "login")
        if isinstance(owner, str) and isinstance(name, str):
            found.append(f"{owner}/{name}")
    keys = [one.lower() for one in found if isinstance(one, str) and _is_full_name(one)]
    number = about.get("id")
    if type(number) is int and number > 0:
        keys.append(f"#{number}")
    return list(dict.fromkeys(keys))


def _is_full_name(text: str) -> bool:
    owner, _, name = text.partition("/")
    return bool(owner and name) and len(text) < 200 and text.isascii() and text.isprintable()


def _value(payload: Mapping[str, Any], *path: str) -> Any:
    """What a payload holds at a path of members; None if it is not there."""
    value: Any = payload
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
