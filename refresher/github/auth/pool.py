"""All credentials that the settings give."""

from collections.abc import Callable

from redis import Redis

from refresher.github.auth.app_installation import installation_of
from refresher.github.auth.credentials import Credential, Token, tokens_of
from shared.settings import Settings


def credentials_of(
    settings: Settings, redis: Redis, *, clock: Callable[[], float]
) -> tuple[Credential, ...]:
    """Every token, and the GitHub App; the anonymous credential where there is neither.

    Args:
        settings: which name them.
        redis: where the fleet shares an App's tokens.
        clock: gives Unix time in seconds.

    Raises:
        SettingsError: the App's private key is none.
    """
    installation = installation_of(settings, redis, clock=clock)
    pool: list[Credential] = [*tokens_of(settings)]
    if installation is not None:
        pool.append(installation)
    return tuple(pool) or (Token(),)
