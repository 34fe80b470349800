"""All credentials in the settings: tokens and the GitHub App."""

from redis import Redis

from refresher.github.auth.app_installation import installation_of
from refresher.github.auth.credentials import Credential, Token, tokens_of
from refresher.github.transport import Transport
from shared.clock import Clock


def credentials_of(transport: Transport, redis: Redis, *, clock: Clock) -> tuple[Credential, ...]:
    """Every token and the GitHub App; only the anonymous credential if there is neither.

    Args:
        transport: the connections of the process, and its settings.
        redis: holds the tokens of the App that the fleet shares.
        clock: the process's clock.

    Raises:
        SettingsError: `GITHUB_APP_PRIVATE_KEY` is not a private key.
    """
    installation = installation_of(transport, redis, clock=clock)
    pool: list[Credential] = [*tokens_of(transport.settings)]
    if installation is not None:
        pool.append(installation)
    return tuple(pool) or (Token(),)
