"""The types of settings whose values need more than a range: how each is read and checked.

An error message completes a line that names the setting, and never quotes a secret.
"""

import re
import ssl
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from shared import redis_url
from shared.api_versions import SUPPORTED

SHORTEST_ADMIN_TOKEN = 16  # characters; fewer would allow a word that is easy to guess
# GitHub: letters, digits and single hyphens, at most 39 characters.
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
# What would end a URL in `Link`, or a string in JSON.
_UNQUOTED = frozenset('"\\<>')


def comma_separated(value: SecretStr) -> list[str]:
    """The parts of a secret list."""
    return [part.strip(" ") for part in value.get_secret_value().split(",")]


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(filter(None, (part.strip() for part in value.split(","))))


def _check_origin(value: str) -> str:
    parts = redis_url.split_url(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL that begins with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not hold credentials, a query or a fragment")
    return value.rstrip("/")


def _check_public_url(value: str) -> str:
    url = _check_origin(value)
    if not _UNQUOTED.isdisjoint(url):
        raise ValueError("must not contain quotes, backslashes, < and >")
    if url.endswith("/api/v3"):
        raise ValueError("must be what clients write before /api/v3, without it")
    return url


def _check_api_version(value: str) -> str:
    if value not in SUPPORTED:
        raise ValueError(f"must be one of {', '.join(SUPPORTED)}")
    return value


def _check_owners(value: tuple[str, ...]) -> tuple[str, ...]:
    names: dict[str, str] = {}
    for name in value:  # GitHub's logins ignore case: keep the first spelling
        if not _LOGIN.fullmatch(name):
            raise ValueError(f"{name!r} is not an organisation's name")
        names.setdefault(name.lower(), name)
    return tuple(names.values())


def _check_logins(value: tuple[str, ...]) -> tuple[str, ...]:
    names = _check_owners(value)
    if not names:
        raise ValueError("must name at least one organisation")
    return names


def _check_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for network in value:
        try:
            ip_network(network, strict=False)
        except ValueError:
            raise ValueError(f"{network!r} is not an IP address or network") from None
    return value


def _check_redis_url(value: SecretStr) -> SecretStr:
    redis_url.check_redis(value.get_secret_value())
    return value


def _check_lock_masters(value: SecretStr) -> SecretStr:
    servers = [redis_url.server(url) for url in comma_separated(value)]
    if len(set(servers)) < len(servers):
        raise ValueError("names a server twice: its vote would count double")
    if len(servers) % 2 == 0:
        raise ValueError("must name an odd number of servers: a majority of them decides")
    return value


def _check_certificates(value: str) -> str:
    try:
        ssl.create_default_context(cafile=value)
    except (OSError, ValueError) as error:  # no such file, or no certificates in it
        raise ValueError(f"holds no certificates ({type(error).__name__})") from None
    return value


def _check_admin_token(value: SecretStr) -> SecretStr:
    # It has to fit into a header field, and to come back from it unchanged.
    if not _PRINTABLE.fullmatch(value.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces")
    if len(value.get_secret_value()) < SHORTEST_ADMIN_TOKEN:
        raise ValueError(
            f"must have at least {SHORTEST_ADMIN_TOKEN} characters; this command makes one: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"
        )
    return value


def _check_github_tokens(value: SecretStr) -> SecretStr:
    # A line break would begin another header field of the request to GitHub.
    if not all(_PRINTABLE.fullmatch(token) for token in comma_separated(value)):
        raise ValueError("must be printable ASCII without spaces")
    return value


def _check_hook_token(value: SecretStr) -> SecretStr:
    _check_github_tokens(value)
    if "," in value.get_secret_value():
        raise ValueError("must be one token")
    return value


def _check_webhook_url(value: str) -> str:
    parts = redis_url.split_url(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL that begins with https:// or http://")
    return value


Seconds = Annotated[float, Field(gt=0, le=365 * 24 * 3600, allow_inf_nan=False)]
Bytes = Annotated[int, Field(gt=0)]
ApiVersion = Annotated[str, AfterValidator(_check_api_version)]
Origin = Annotated[str, AfterValidator(_check_origin)]
PublicUrl = Annotated[str, AfterValidator(_check_public_url)]
Logins = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_logins)
]
Owners = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_owners)
]
# Checked with the table of operations, by `shared.resources.catalogue`.
Paths = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check_networks)
]
RedisUrl = Annotated[SecretStr, AfterValidator(_check_redis_url)]
LockMasters = Annotated[SecretStr, AfterValidator(_check_lock_masters)]
Certificates = Annotated[str, AfterValidator(_check_certificates)]
AdminToken = Annotated[SecretStr, AfterValidator(_check_admin_token)]
HookToken = Annotated[SecretStr, AfterValidator(_check_hook_token)]
WebhookUrl = Annotated[str, AfterValidator(_check_webhook_url)]
GithubTokens = Annotated[SecretStr, AfterValidator(_check_github_tokens)]
