"""Where the webhooks that lead here are found: the GitHub App, and the tracked organisations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from refresher.deliveries.hook_api import HookApi, HookError
from refresher.github.auth.app_jwt import app_authorization, private_key_of
from shared.clock import Clock
from shared.lost_deliveries import APP
from shared.settings import Settings

_RECEIVER = "/webhooks/github"
_MOST_HOOKS = 5  # of one organisation that lead here; one is usual


@dataclass(frozen=True)
class Source:
    """An owner of webhooks, and the credential that may ask about them.

    Args:
        name: the organisation, or `APP`.
        org: the organisation; empty for the App.
        authorization: returns the value of the `Authorization` header, a secret.
    """

    name: str
    org: str
    authorization: Callable[[], str]

    def hooks(self, api: HookApi, address: "HookAddress") -> Sequence[str]:
        """The paths of the webhooks that lead here, below the API's base URL.

        Raises:
            HookError: GitHub does not say.
        """
        if not self.org:
            return ["/app/hook"] if address.is_of(_config_of_app(api)) else []
        found = api.get(f"/orgs/{self.org}/hooks?per_page=100").body
        hooks = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return [
            f"/orgs/{self.org}/hooks/{hook['id']}"
            for hook in hooks
            if isinstance(hook.get("id"), int)
            and hook.get("active") is not False
            and address.is_of(hook.get("config"))
        ][:_MOST_HOOKS]


class HookAddress:
    """The payload URL of the webhooks that lead here.

    It is `GITHUB_WEBHOOK_URL`, or `PUBLIC_URL` and the receiver's path. If neither is set, each URL
    that ends with that path counts.

    Args:
        settings: of the process.
    """

    def __init__(self, settings: Settings) -> None:
        wanted: list[str] = []
        if settings.github_webhook_url is not None:
            wanted = [settings.github_webhook_url]
        elif settings.public_url is not None:
            wanted = [settings.public_url + mount + _RECEIVER for mount in ("", "/api/v3")]
        self._wanted = [_parts(one) for one in wanted]

    def is_of(self, config: Any) -> bool:
        """Whether a webhook leads here, by its configuration as GitHub shows it."""
        url = config.get("url") if isinstance(config, dict) else None
        if not isinstance(url, str):
            return False
        try:
            parts = _parts(url)
        except ValueError:
            return False
        return parts in self._wanted if self._wanted else parts[3].endswith(_RECEIVER)


def sources_of(settings: Settings, *, clock: Clock) -> Sequence[Source]:
    """All sources that the settings give credentials for.

    Raises:
        SettingsError: `GITHUB_APP_PRIVATE_KEY` is not a private key.
    """
    found: list[Source] = []
    key = private_key_of(settings)
    if key is not None:
        found.append(Source(APP, "", lambda: app_authorization(settings, key, clock)))
    token = settings.github_hook_token
    if token is not None:
        found += [
            Source(org, org, lambda: f"Bearer {token.get_secret_value()}") for org in settings.orgs
        ]
    return found


def _config_of_app(api: HookApi) -> Any:
    """The configuration of the App's webhook; None if it has none."""
    try:
        return api.get("/app/hook/config").body
    except HookError as error:
        if error.status == 404:
            return None
        raise


def _parts(url: str) -> tuple[str, str | None, int | None, str, str]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/"), parts.query
