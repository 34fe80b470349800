"""A Redis with the users of `deploy/redis/users.acl`, that very file, with passwords put in."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from redis import Redis

from scripts.embedded_redis import EmbeddedRedis
from tests.end_to_end.fleet import CHECKOUT

RULES = CHECKOUT / "deploy" / "redis" / "users.acl"


@dataclass
class GuardedRedis:
    """Such a server; the tests' own user, `default` in the rules, may do everything.

    Args:
        folder: for its data.
        binary: the server's program; the one that tests use, if None.
    """

    folder: Path
    binary: str | None = None
    passwords: dict[str, str] = field(
        default_factory=lambda: {name: uuid4().hex for name in ("reader", "refresher")}
    )

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        rules = self.folder / "users.acl"
        rules.write_text(with_passwords(RULES.read_text(), self.passwords))
        arguments = ("--aclfile", str(rules.resolve()))
        self._server = EmbeddedRedis(self.folder, arguments=arguments, binary=self.binary)

    @property
    def url(self) -> str:
        """For the tests alone."""
        return self._server.url

    def url_of(self, user: str) -> str:
        """What a process of a kind is told as `REDIS_URL`."""
        return f"redis://{user}:{self.passwords[user]}@127.0.0.1:{self._server.port}/0"

    def start(self) -> None:
        """Start it."""
        self._server.start()

    def stop(self) -> None:
        """End it."""
        self._server.stop()

    def refused(self) -> list[tuple[str, str, str]]:
        """What was refused: user, why, and what it was about."""
        with Redis.from_url(self.url) as redis:
            log = cast(list[dict[str, Any]], redis.acl_log())
        return [(str(one["username"]), str(one["reason"]), str(one["object"])) for one in log]


def with_passwords(rules: str, passwords: dict[str, str]) -> str:
    """The rules with hashes in their places, and with the tests as their `default`."""
    for name, password in passwords.items():
        place = f"{name.upper()}_PASSWORD_SHA256"
        assert place in rules
        rules = rules.replace(place, hashlib.sha256(password.encode()).hexdigest())
    lines = [line for line in rules.splitlines() if not line.startswith("user default ")]
    return "\n".join(["user default on nopass ~* &* +@all", *lines, ""])
