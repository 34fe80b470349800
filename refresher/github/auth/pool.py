"""All credentials in the settings: tokens and the GitHub App."""

from redis import Redis

from refresher.github.auth.app_installation import installation_of
from refresher.github.auth.credentials import Credential, Token, tokens_of
from shared.clock import Clock
from shared.settings import Settings


def credentials_of(settings: Settings, redis: Redis, *, clock: Clock) -> tuple[Credential, ...]:
    """Every token and the GitHub App; only the anonymous credential if there is neither.

    Args:
        settings: of the process.
        redis: holds the tokens of the App that the fleet shares.
        clock: the process's clock.

    Raises:
        SettingsError: `GITHUB_APP_PRIVATE_KEY` is not a private key.
    """
    installation = installation_of(settings, redis, clock=clock)
    pool: list[Credential] = [*tokens_of(settings)]
    if installation is not None:
        pool.append(installation)
    return tuple(pool) or (Token(),)
