"""Every setting of every process, in one table, validated when a process starts.

The environment is the only source. README's table and `.env.example` are compared with
`Settings` by a test, so a setting cannot be added without being documented.
"""

import os
import re
import ssl
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.errors import SettingsError
from shared.redis import redis_url

GITHUB_API = "https://api.github.com"
# A URL can hold a password just as well.
_NEVER_SHOWN = frozenset(
    {
        "redis_url",
        "cache_password",
        "redlock_urls",
        "github_api_token",
        "github_api_url",
        "github_app_private_key",
        "github_webhook_secret",
        "admin_token",
    }
)
# The environment variables that refreshers alone need; readers do not even hold them.
REFRESHERS_ONLY = (
    *("GITHUB_API_TOKEN", "GITHUB_APP_ID", "GITHUB_APP_INSTALLATION_ID"),
    *("GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_PRIVATE_KEY_FILE", "REDLOCK_URLS"),
)
SHORTEST_ADMIN_TOKEN = 16  # characters; with fewer, a word that is easy to guess would do
# GitHub: letters, digits and single hyphens, at most 39 characters.
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})")

Seconds = Annotated[float, Field(gt=0, le=365 * 24 * 3600, allow_inf_nan=False)]
Bytes = Annotated[int, Field(gt=0)]


class LogFormat(StrEnum):
    """How processes log."""

    JSON = "json"  # an object in a line
    CONSOLE = "console"  # for people


class PrivilegedCredentials(StrEnum):
    """What to do about a credential that sees more than the public."""

    WARN = "warn"  # name it in the log, on the status page and in `doctor`
    REFUSE = "refuse"  # stop the refresher that finds it


class Settings(BaseSettings):
    """The settings of a process: frozen, complete, valid.

    Every field is read from the environment variable of the same name in capitals.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    port: int = Field(5000, ge=1, le=65535, description="readers listen here")
    github_api_token: SecretStr | None = Field(
        None,
        description="one or several, comma-separated; sent to GitHub by refreshers only",
    )
    github_webhook_secret: SecretStr | None = Field(
        None, description="one or several, comma-separated; `/webhooks/github` is 404 without"
    )
    github_app_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="a GitHub App's id or client id; its tokens are got and renewed by refreshers",
    )
    github_app_installation_id: int | None = Field(None, ge=1, description="the App's installation")
    github_app_private_key: SecretStr | None = Field(
        None, description="the App's private key, PEM; `\\n` may stand for line breaks"
    )
    github_app_private_key_file: str | None = Field(
        None, description="a file with the App's private key, instead"
    )
    privileged_credentials: PrivilegedCredentials = Field(
        PrivilegedCredentials.WARN,
        description="`warn` of a credential that sees more than the public, or `refuse`: the "
        "refresher stops at GitHub's first answer",
    )
    budget_reserve: float = Field(
        0.2, ge=0, lt=1, description="share of the rate limit kept for tracked resources"
    )
    origin_concurrency: int = Field(
        20, ge=1, le=90, description="requests to GitHub at once, of the whole fleet"
    )
    origin_points_per_minute: int = Field(
        400, ge=1, le=440, description="requests to GitHub in a minute of the clock, of the fleet"
    )
    github_api_url: str = Field(
        GITHUB_API, description="the origin; a GitHub Enterprise `/api/v3` base works too"
    )
    orgs: Annotated[tuple[str, ...], NoDecode] = Field(
        ("Netflix",),
        description="organisations tracked, comma-separated; the first is the views' default",
    )
    redis_url: SecretStr | None = Field(
        None,
        description="`redis://`, `rediss://`, `unix://`, or `redis+sentinel://`; `make run` starts "
        "one when unset",
    )
    cache_password: SecretStr | None = Field(
        None, description="Redis password where the URL holds none"
    )
    redis_ca_file: str | None = Field(
        None, description="certificates, PEM, that Redis's own is checked against with `rediss://`"
    )
    redlock_urls: SecretStr | None = Field(
        None,
        description="an odd number of independent Redis servers for locks, comma-separated; "
        "without, `REDIS_URL` is the only one",
    )
    cache_ttl: Seconds = Field(1000, description="seconds that Redis content stays fresh")
    local_ttl: Seconds = Field(
        50, description="seconds that a reader serves its copy without looking at Redis again"
    )
    web_concurrency: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=512, description="reader processes"
    )
    reader_threads: int = Field(
        256, ge=20, le=4096, description="threads of a reader process; most of them may wait"
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="addresses or networks, comma-separated, whose `X-Forwarded-*` is believed",
    )
    local_max_bytes: Bytes = Field(
        256 * 1024 * 1024,
        description="bytes of on-demand content a reader process keeps in memory",
    )
    miss_wait: Seconds = Field(
        10, description="seconds a client waits for content that is nowhere yet, before a 503"
    )
    on_demand_ttl: Seconds = Field(60, description="seconds that on-demand content stays fresh")
    on_demand_keep: Seconds = Field(
        600, description="seconds that on-demand content is kept when nobody asks for it"
    )
    on_demand_max_bytes: Bytes = Field(
        1024 * 1024 * 1024,
        description="bytes of on-demand content in Redis, beyond which the oldest is dropped",
    )
    queue_max: int = Field(
        1000, ge=1, description="queued refreshes beyond which on-demand misses are refused"
    )
    include_private: bool = Field(
        False, description="let items that GitHub marks private into the cache"
    )
    lock_ttl: Seconds = Field(
        10, description="seconds a refresh lock outlives a refresher that died"
    )
    origin_connect_timeout: Seconds = Field(5, description="seconds to connect to GitHub")
    origin_read_timeout: Seconds = Field(15, description="seconds of silence from GitHub")
    origin_deadline: Seconds = Field(60, description="seconds for one whole answer of GitHub")
    origin_max_bytes: Bytes = Field(
        20 * 1024 * 1024, description="bytes of one answer of GitHub, decompressed"
    )
    github_concurrency: int = Field(
        1, ge=1, le=20, description="pages of one list asked for at once; GitHub advises one"
    )
    refresh_ahead: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of `CACHE_TTL` before its end in which the scheduler has it renewed",
    )
    list_max_pages: int = Field(
        200, ge=1, le=10_000, description="pages of 100 items beyond which a list is refused"
    )
    list_max_bytes: Bytes = Field(
        128 * 1024 * 1024, description="bytes beyond which a list is refused; five times are needed"
    )
    backoff_max: Seconds = Field(
        60, description="longest pause, in seconds, between tries while GitHub fails"
    )
    admin_token: SecretStr | None = Field(
        None,
        description="for readers: whoever gives it may act on the status page; without, nobody; "
        "at least 16 characters",
    )
    status_public: bool = Field(
        True, description="show the status page to everybody, not only to who gives `ADMIN_TOKEN`"
    )
    log_format: LogFormat = Field(
        LogFormat.JSON, description="`json`, a line each, or `console`, for people"
    )
    access_log: float = Field(
        0, ge=0, le=1, description="share of requests that readers log; 0 logs none"
    )

    @field_validator("github_api_url")
    @classmethod
    def _an_origin(cls, value: str) -> str:
        parts = redis_url.split_url(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be a URL that begins with https:// or http://")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("must not hold credentials, a query or a fragment")
        return value.rstrip("/")

    @field_validator("orgs", mode="before")
    @classmethod
    def _split_orgs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names: dict[str, str] = {}
        for name in (part.strip() for part in value.split(",")):
            if name:  # GitHub's logins ignore case: the first spelling stands
                names.setdefault(name.lower(), name)
        return tuple(names.values())

    @field_validator("orgs")
    @classmethod
    def _valid_orgs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("must name at least one organisation")
        for name in value:
            if not _LOGIN.fullmatch(name):
                raise ValueError(f"{name!r} is not an organisation's name")
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split_networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(filter(None, (part.strip() for part in value.split(","))))

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{network!r} is no IP address or network") from None
        return value

    @field_validator("redis_url")
    @classmethod
    def _a_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            redis_url.check_redis(value.get_secret_value())
        return value

    @field_validator("redlock_urls")
    @classmethod
    def _masters(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        servers = [redis_url.server(url) for url in _comma_separated(value)]
        if len(set(servers)) < len(servers):
            raise ValueError("names a server twice: what it says would count double")
        if len(servers) % 2 == 0:
            raise ValueError("must name an odd number of servers: a majority of them decides")
        return value

    @field_validator("redis_ca_file")
    @classmethod
    def _certificates(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=value)
            except (OSError, ValueError) as error:  # no such file, or nothing of the kind in it
                raise ValueError(f"holds no certificates ({type(error).__name__})") from None
        return value

    @field_validator("admin_token")
    @classmethod
    def _one_word(cls, value: SecretStr | None) -> SecretStr | None:
        # It has to fit into a header field, and to come back from it as it was.
        if value is None:
            return None
        if not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces")
        if len(value.get_secret_value()) < SHORTEST_ADMIN_TOKEN:
            raise ValueError(
                f"must have at least {SHORTEST_ADMIN_TOKEN} characters; this makes one: "
                "python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"
            )
        return value

    @field_validator("github_api_token")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        # A line break here would be a header of its own on the way to GitHub.
        tokens = value.get_secret_value().split(",") if value is not None else []
        if not all(re.fullmatch(r"[\x21-\x7e]+", token.strip(" ")) for token in tokens):
            raise ValueError("must be printable ASCII without spaces")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the environment (and, in tests, arguments) as the only sources."""
        return init_settings, env_settings

    @model_validator(mode="after")
    def _a_whole_app(self) -> "Settings":
        ids = (self.github_app_id, self.github_app_installation_id)
        key_sources = (self.github_app_private_key, self.github_app_private_key_file)
        named = [part is not None for part in (*ids, *key_sources)]
        if any(named) and (None in ids or sum(named) != 3):
            raise ValueError(
                "GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and one of GITHUB_APP_PRIVATE_KEY and "
                "GITHUB_APP_PRIVATE_KEY_FILE belong together"
            )
        return self

    @model_validator(mode="after")
    def _a_ca_to_use(self) -> "Settings":
        url = self.redis_url.get_secret_value() if self.redis_url else None
        if self.redis_ca_file is not None and url is not None and not redis_url.uses_tls(url):
            raise ValueError("REDIS_CA_FILE needs a REDIS_URL that begins with rediss")
        return self

    @property
    def app_private_key(self) -> str | None:
        """The GitHub App's private key, PEM. A secret.

        Raises:
            SettingsError: its file cannot be read.
        """
        if self.github_app_private_key is not None:
            return self.github_app_private_key.get_secret_value().replace("\\n", "\n")
        if self.github_app_private_key_file is None:
            return None
        try:
            return Path(self.github_app_private_key_file).read_text()
        except (OSError, ValueError) as error:
            reason = f"cannot be read ({type(error).__name__})"
            raise SettingsError(f"GITHUB_APP_PRIVATE_KEY_FILE: {reason}") from None

    @property
    def github_api_tokens(self) -> tuple[str, ...]:
        """The tokens, each once, in the order given. Secrets."""
        if self.github_api_token is None:
            return ()
        tokens = self.github_api_token.get_secret_value().split(",")
        return tuple(dict.fromkeys(token.strip(" ") for token in tokens))

    @cached_property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The proxies that are believed what they say of a client."""
        return tuple(ip_network(network, strict=False) for network in self.trusted_proxies)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that a webhook may be signed with; several while one is being replaced."""
        if self.github_webhook_secret is None:
            return ()
        return tuple(filter(None, self.github_webhook_secret.get_secret_value().split(",")))

    @property
    def redis_location(self) -> str:
        """The Redis URL that clients connect with, password and certificates included.

        Raises:
            SettingsError: `REDIS_URL` is not set.
        """
        if self.redis_url is None:
            raise SettingsError("REDIS_URL is not set (`make run` starts a Redis of its own)")
        return self._complete(self.redis_url.get_secret_value())

    @property
    def redlock_locations(self) -> tuple[str, ...]:
        """The Redis URLs of the locks' masters, passwords included; none: locks live with the rest.

        Secrets.
        """
        if self.redlock_urls is None:
            return ()
        return tuple(map(self._complete, _comma_separated(self.redlock_urls)))

    def _complete(self, url: str) -> str:
        password = self.cache_password.get_secret_value() if self.cache_password else None
        return redis_url.with_certificates(
            redis_url.with_password(url, password), self.redis_ca_file
        )


def load(**overrides: Any) -> Settings:
    """Read and validate the settings from the environment.

    Args:
        overrides: values by field name that take the environment's place.

    Raises:
        SettingsError: naming each setting that is wrong, in one line.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(_one_problem(problem) for problem in error.errors())
        ) from None


def load_or_exit(*, needs_redis: bool = True) -> Settings:
    """Read the settings, or stop the process with status 1 and one line on standard error."""
    try:
        settings = load()
        if needs_redis:
            _ = settings.redis_location
    except SettingsError as error:
        stop(error)
    return settings


def stop(error: SettingsError) -> NoReturn:
    """Stop the process with status 1 and one line on standard error."""
    sys.exit(f"api-read-cache: bad settings: {error}")


def _one_problem(problem: Mapping[str, Any]) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:  # of several; the input is all of them, secrets included
        return message
    field = str(problem["loc"][0])
    message = message[0].lower() + message[1:]
    if field in _NEVER_SHOWN:
        return f"{field.upper()}: {message}"
    shown = repr(str(problem["input"]))[1:-1]  # in one line, whatever it holds
    return f"{field.upper()}={shown}: {message}"


def _comma_separated(value: SecretStr) -> list[str]:
    return [part.strip(" ") for part in value.get_secret_value().split(",")]
