"""All settings of all processes, in one table, validated when a process starts.

The environment is the only source. A test compares README's table and `.env.example` with
`Settings`, so that no setting lacks documentation.
"""

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared import redis_url
from shared.api_versions import UNNAMED
from shared.errors import SettingsError
from shared.setting_types import (
    AdminToken,
    ApiVersion,
    Bytes,
    Certificates,
    GithubTokens,
    HookToken,
    LockMasters,
    Logins,
    Networks,
    Origin,
    Owners,
    Paths,
    PublicUrl,
    RedisUrl,
    Seconds,
    WebhookUrl,
    comma_separated,
)

GITHUB_API = "https://api.github.com"
# Twice as many are less than GitHub's secondary limit of 900 a minute. An enterprise server has
# limits of its own, or none.
_MOST_POINTS_AT_GITHUB = 440
# Seconds for which a repository is held at most: less than it is withdrawn if it is made private.
_REPOSITORY_HELD_S = 3000.0
_GITHUB_HOSTS = (".github.com", ".ghe.com")  # the latter: GitHub Enterprise Cloud
# Never quoted in a message: a URL can hold a password as well.
_NEVER_SHOWN = frozenset(
    {
        "redis_url",
        "cache_password",
        "redlock_urls",
        "github_api_token",
        "github_api_url",
        "public_url",
        "github_app_private_key",
        "github_webhook_secret",
        "github_webhook_url",
        "github_hook_token",
        "admin_token",
    }
)
# The environment variables that only refreshers need; readers do not even hold them.
REFRESHERS_ONLY = (
    *("GITHUB_API_TOKEN", "GITHUB_APP_ID", "GITHUB_APP_INSTALLATION_ID"),
    *("GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_PRIVATE_KEY_FILE", "REDLOCK_URLS"),
    "GITHUB_HOOK_TOKEN",
)


class LogFormat(StrEnum):
    """The format of log lines."""

    JSON = "json"  # one object per line
    CONSOLE = "console"  # for people


class PrivilegedCredentials(StrEnum):
    """How to treat a credential that sees more than the public."""

    WARN = "warn"  # report it in the log, on the status page and in `doctor`
    REFUSE = "refuse"  # stop the refresher that finds it


class Settings(BaseSettings):
    """The settings of a process: frozen, complete, valid.

    Every field is read from the environment variable of the same name in capitals.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    port: int = Field(5000, ge=1, le=65535, description="readers listen here")
    github_api_token: GithubTokens | None = Field(
        None,
        description="one or several, comma-separated; sent to GitHub by refreshers only",
    )
    github_webhook_secret: SecretStr | None = Field(
        None, description="one or several, comma-separated; `/webhooks/github` is 404 if unset"
    )
    github_app_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="a GitHub App's id or client id; refreshers obtain and renew its tokens",
    )
    github_app_installation_id: int | None = Field(None, ge=1, description="the App's installation")
    github_app_private_key: SecretStr | None = Field(
        None, description="the App's private key, PEM; `\\n` may stand for line breaks"
    )
    github_app_private_key_file: str | None = Field(
        None, description="a file with the App's private key, instead of the key"
    )
    github_hook_token: HookToken | None = Field(
        None,
        description="a token that may list and redeliver what organisations' webhooks sent; for "
        "refreshers, who use it for nothing else",
    )
    github_webhook_url: WebhookUrl | None = Field(
        None,
        description="the payload URL of the webhook at GitHub, if it is not `PUBLIC_URL` and "
        "`/webhooks/github`; for refreshers",
    )
    redelivery_interval: Seconds = Field(
        300, description="seconds between two looks for deliveries of webhooks that were lost"
    )
    privileged_credentials: PrivilegedCredentials = Field(
        PrivilegedCredentials.WARN,
        description="`warn` about a credential that sees more than the public, or `refuse`: the "
        "refresher stops at GitHub's first response",
    )
    budget_reserve: float = Field(
        0.2, ge=0, lt=1, description="share of GitHub's limits kept for tracked resources"
    )
    refresh_concurrency: int = Field(
        50, ge=1, le=90, description="refreshes that a refresher does at once"
    )
    origin_concurrency: int = Field(
        50, ge=1, le=90, description="concurrent requests to GitHub, of the whole fleet"
    )
    origin_points_per_minute: int = Field(
        400,
        ge=1,
        le=1_000_000,
        description="requests to GitHub per minute, of the whole fleet; in any 60 seconds at most "
        "twice as many; at most 440 at api.github.com",
    )
    github_api_url: Origin = Field(
        GITHUB_API, description="the origin; a GitHub Enterprise `/api/v3` base works too"
    )
    github_api_version: ApiVersion = Field(
        UNNAMED,
        description="the version of GitHub's API that is fetched for tracked content, and for "
        "clients that name none",
    )
    orgs: Logins = Field(
        ("Netflix",),
        description="organisations tracked, comma-separated; the first is the views' default",
    )
    track: Paths = Field(
        (),
        description="further paths tracked, comma-separated: `/repos/Netflix/Hystrix/releases`; "
        "`{org}` stands for each of `ORGS`; at most 1000; the same for readers and refreshers",
    )
    redis_url: RedisUrl | None = Field(
        None,
        description="`redis://`, `rediss://`, `unix://`, or `redis+sentinel://`; `make run` starts "
        "one when unset",
    )
    cache_password: SecretStr | None = Field(
        None, description="Redis password if the URL holds none"
    )
    redis_ca_file: Certificates | None = Field(
        None, description="CA certificates, PEM, that verify Redis's certificate with `rediss://`"
    )
    redlock_urls: LockMasters | None = Field(
        None,
        description="an odd number of independent Redis servers for locks, comma-separated; "
        "if unset, `REDIS_URL` holds the locks",
    )
    cache_ttl: Seconds = Field(1000, description="seconds that Redis content stays fresh")
    local_ttl: Seconds = Field(
        50, description="seconds that a reader serves its copy without checking Redis again"
    )
    web_concurrency: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=512, description="reader processes"
    )
    reader_threads: int = Field(
        256, ge=20, le=4096, description="threads of a reader process; most of them may be waiting"
    )
    trusted_proxies: Networks = Field(
        (),
        description="addresses or networks, comma-separated, whose `X-Forwarded-*` is trusted",
    )
    public_url: PublicUrl | None = Field(
        None,
        description="the URL that clients use, before `/` or `/api/v3`; if unset, each request "
        "says it: `Host`, or trusted `X-Forwarded-*`",
    )
    local_max_bytes: Bytes = Field(
        256 * 1024 * 1024,
        description="bytes of on-demand content a reader process keeps in memory",
    )
    miss_wait: Seconds = Field(
        10, description="seconds a client waits for content that is not cached yet, before a 503"
    )
    client_age_floor: float = Field(
        5,
        ge=0,
        allow_inf_nan=False,
        le=86_400,
        description="seconds within which content on demand is fresh enough for every client, "
        "whatever its `Cache-Control` says",
    )
    on_demand_ttl: Seconds = Field(60, description="seconds that on-demand content stays fresh")
    on_demand_keep: Seconds = Field(
        600, description="seconds that on-demand content is kept without a request for it"
    )
    on_demand_max_bytes: Bytes = Field(
        1024 * 1024 * 1024,
        description="bytes of on-demand content in Redis, beyond which the least "
        "recently refreshed is evicted",
    )
    on_demand_owners: Owners = Field(
        (),
        description="users and organisations, comma-separated, whose content may be asked for on "
        "demand, besides `ORGS`; everybody's if unset",
    )
    queue_max: int = Field(
        1000, ge=1, description="queued refreshes beyond which on-demand misses are refused"
    )
    client_max_waiting: int = Field(
        128,
        ge=1,
        description="on-demand resources that one client address may wait for at once; further "
        "misses get a 429",
    )
    changes_kept: int = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="events that `/changes` can repeat, of tracked content and as many of "
        "content on demand; for refreshers",
    )
    changes_followers: int = Field(
        1000, ge=1, le=20_000, description="followers of `/changes` in one reader process"
    )
    client_max_followers: int = Field(
        32, ge=1, description="followers of `/changes` of one client address in a reader process"
    )
    drift_check_interval: float = Field(
        60,
        ge=0,
        le=86_400,
        allow_inf_nan=False,
        description="seconds between two comparisons of a stored page with GitHub's unconditional "
        "answer, of the whole fleet; 60 times as long if GitHub is asked without a credential; "
        "0 for none",
    )
    include_private: bool = Field(
        False, description="let items that GitHub marks private into the cache"
    )
    lock_ttl: Seconds = Field(
        10, description="seconds a refresh lock outlives a refresher that died"
    )
    origin_connect_timeout: Seconds = Field(5, description="seconds to connect to GitHub")
    origin_read_timeout: Seconds = Field(15, description="seconds of silence from GitHub")
    origin_deadline: Seconds = Field(
        60, description="seconds for one whole exchange with GitHub, connecting included"
    )
    origin_max_bytes: Bytes = Field(
        20 * 1024 * 1024, description="bytes of one response of GitHub, decompressed"
    )
    github_concurrency: int = Field(
        2, ge=1, le=20, description="pages of one list requested at once; GitHub advises one"
    )
    refresh_ahead: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="share of `CACHE_TTL` before its end in which the scheduler "
        "refreshes the content",
    )
    list_max_pages: int = Field(
        200, ge=1, le=10_000, description="pages of 100 items beyond which a list is refused"
    )
    list_max_bytes: Bytes = Field(
        128 * 1024 * 1024,
        description="bytes beyond which a list is refused; five times as much memory is needed",
    )
    backoff_max: Seconds = Field(
        60, description="longest pause, in seconds, between tries while GitHub is failing"
    )
    admin_token: AdminToken | None = Field(
        None,
        description="for readers: clients that send it may act on the status page; if unset, "
        "actions are off; at least 16 characters",
    )
    status_public: bool = Field(
        True, description="show the status page to everybody, not only to holders of `ADMIN_TOKEN`"
    )
    log_format: LogFormat = Field(
        LogFormat.JSON, description="`json`, one object per line, or `console`, for people"
    )
    access_log: float = Field(
        0, ge=0, le=1, description="share of requests that readers log; 0 logs none"
    )

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

    @model_validator(mode="after")
    def _points_within_githubs_limit(self) -> "Settings":
        host = urlsplit(self.github_api_url).hostname or ""
        if host.endswith(_GITHUB_HOSTS) and self.origin_points_per_minute > _MOST_POINTS_AT_GITHUB:
            raise ValueError(
                f"ORIGIN_POINTS_PER_MINUTE must be at most {_MOST_POINTS_AT_GITHUB} at {host}: "
                "GitHub allows 900 in any minute"
            )
        return self

    @model_validator(mode="after")
    def _a_token_for_hooks_only(self) -> "Settings":
        token = self.github_hook_token
        if token is not None and token.get_secret_value() in self.github_api_tokens:
            raise ValueError(
                "GITHUB_HOOK_TOKEN must not be one of GITHUB_API_TOKEN: it sees more than the "
                "public, and is used for webhooks only"
            )
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
        """GitHub's tokens, each once, in the given order. Secrets."""
        if self.github_api_token is None:
            return ()
        return tuple(dict.fromkeys(comma_separated(self.github_api_token)))

    @cached_property
    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The proxies whose `X-Forwarded-*` fields are trusted."""
        return tuple(ip_network(network, strict=False) for network in self.trusted_proxies)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The accepted secrets of webhooks; several while one is being replaced. Secrets."""
        if self.github_webhook_secret is None:
            return ()
        return tuple(filter(None, self.github_webhook_secret.get_secret_value().split(",")))

    @property
    def on_demand_held(self) -> float:
        """Seconds for which on-demand content is stored after it was fetched."""
        return self.on_demand_ttl + self.on_demand_keep

    @property
    def longest_held(self) -> float:
        """The same for repositories below which something is tracked.

        Each refresh below requests the repository; while it is stored, a 304 to that is free.
        """
        asked_again = min(2 * self.cache_ttl, _REPOSITORY_HELD_S) if self.track else 0.0
        return max(self.on_demand_held, asked_again)

    @property
    def redis_location(self) -> str:
        """The complete Redis URL, with password and certificates. A secret.

        Raises:
            SettingsError: `REDIS_URL` is not set.
        """
        if self.redis_url is None:
            raise SettingsError("REDIS_URL is not set (`make run` starts a Redis of its own)")
        return self._complete(self.redis_url.get_secret_value())

    @property
    def redlock_locations(self) -> tuple[str, ...]:
        """The complete Redis URLs of the lock masters. Secrets.

        Empty if `REDLOCK_URLS` is not set: `REDIS_URL` then holds the locks.
        """
        if self.redlock_urls is None:
            return ()
        return tuple(map(self._complete, comma_separated(self.redlock_urls)))

    def _complete(self, url: str) -> str:
        password = self.cache_password.get_secret_value() if self.cache_password else None
        return redis_url.with_certificates(
            redis_url.with_password(url, password), self.redis_ca_file
        )


def load(**overrides: Any) -> Settings:
    """Read and validate the settings from the environment.

    Args:
        overrides: values by field name that replace the environment's.

    Raises:
        SettingsError: a setting is invalid; the message names each of them, in one line.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(_one_problem(problem) for problem in error.errors())
        ) from None


def load_or_exit(*, needs_redis: bool = True) -> Settings:
    """Read the settings; if one is invalid, stop the process as `stop` does."""
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
    if not problem["loc"]:  # of several fields: the input is all settings, secrets included
        return message
    field = str(problem["loc"][0])
    message = message[0].lower() + message[1:]
    if field in _NEVER_SHOWN:
        return f"{field.upper()}: {message}"
    shown = repr(str(problem["input"]))[1:-1]  # one line, whatever the value is
    return f"{field.upper()}={shown}: {message}"
