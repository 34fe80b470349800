"""A Redis with the users of `deploy/redis/users.acl`, after their passwords are filled in."""

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
    """A server with these users; the tests use its `default` user, which may do everything.

    Args:
        folder: for its data.
        binary: the server's program; by default the one that all tests use.
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
        """The URL for the tests themselves."""
        return self._server.url

    def url_of(self, user: str) -> str:
        """The value of `REDIS_URL` for processes that connect as `user`."""
        return f"redis://{user}:{self.passwords[user]}@127.0.0.1:{self._server.port}/0"

    def start(self) -> None:
        """Start the server."""
        self._server.start()

    def stop(self) -> None:
        """End the server."""
        self._server.stop()

    def refused(self) -> list[tuple[str, str, str]]:
        """The refusals in Redis's ACL log: user, reason and object of each."""
        with Redis.from_url(self.url) as redis:
            log = cast(list[dict[str, Any]], redis.acl_log())
        return [(str(one["username"]), str(one["reason"]), str(one["object"])) for one in log]


def with_passwords(rules: str, passwords: dict[str, str]) -> str:
    """The rules with the hashes of passwords, and with a `default` user that may do everything."""
    for name, password in passwords.items():
        place = f"{name.upper()}_PASSWORD_SHA256"
        assert place in rules
        rules = rules.replace(place, hashlib.sha256(password.encode()).hexdigest())
    lines = [line for line in rules.splitlines() if not line.startswith("user default ")]
    return "\n".join(["user default on nopass ~* &* +@all", *lines, ""])
