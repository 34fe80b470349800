"""A client, and the cases in which its scenario is run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.clients.scenarios.run import MOUNT

# The user's; the fleet has none.
TOKEN = "ghp_ofTheClientAlone0123456789"
# For clients that can be used without the mount as well.
UNDER_BOTH = ((MOUNT, TOKEN), ("", ""))


@dataclass(frozen=True)
class Client:
    """A client, as its users have it.

    Args:
        name: as people call it.
        command: of its scenario; takes the server's address, the mount and the token.
        cases: the mounts and tokens with which it is run; "" is none. The first is run with an
            enterprise server too.
        retries: whether it tries again what is refused by 405, which takes 14 s.
    """

    name: str
    command: Callable[[str, str, str], list[str | Path]]
    cases: tuple[tuple[str, str], ...] = ((MOUNT, TOKEN), (MOUNT, ""))
    retries: bool = False


@dataclass(frozen=True)
class Case:
    """A client below a mount, with a token or without."""

    client: Client
    mount: str
    token: str

    def __str__(self) -> str:
        place = self.mount.strip("/").replace("/", "-") or "root"
        return f"{self.client.name}-{place}-{'token' if self.token else 'none'}"


def cases_of(clients: list[Client]) -> list[Case]:
    """All cases of some clients."""
    return [Case(client, *case) for client in clients for case in client.cases]
