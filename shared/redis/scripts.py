"""Lua scripts, alone or as a part of a pipeline, without round trips of their own.

redis-py's `Script` asks Redis before each pipeline with a script whether Redis knows the script.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from redis import Redis, RedisError
from redis.exceptions import NoScriptError, ResponseError


class Script:
    """A Lua script, sent by its digest. Redis forgets scripts when it restarts.

    Args:
        text: Lua.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, client: Redis, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run the script; may raise `redis.RedisError`."""
        try:
            return client.evalsha(self.digest, len(keys), *keys, *args)
        except NoScriptError:
            return client.eval(self.text, len(keys), *keys, *args)


def is_of_wrong_type(reply: Any) -> bool:
    """Whether a command failed because its key holds a value of another type: it is damaged."""
    return isinstance(reply, ResponseError) and "WRONGTYPE" in str(reply)


class Batch:
    """Commands and scripts that are sent in one round trip, in order; not a transaction.

    Args:
        client: of Redis.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._scripts: dict[int, tuple[Script, Sequence[str], Sequence[Any]]] = {}
        self.pipeline = client.pipeline(transaction=False)

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> None:
        """Add a script."""
        self._scripts[len(self.pipeline)] = (script, keys, args)
        self.pipeline.evalsha(script.digest, len(keys), *keys, *args)

    def execute(self, *, may_be_damaged: bool = False) -> list[Any]:
        """Send everything and return the replies, in order.

        A script that Redis does not know is run alone, after the rest.

        Args:
            may_be_damaged: the error of a command whose key is of a wrong type becomes its reply.

        Raises:
            redis.RedisError: Redis is unavailable, or a command failed.
        """
        replies = self.execute_all()
        for reply in replies:
            if isinstance(reply, RedisError) and not (may_be_damaged and is_of_wrong_type(reply)):
                raise reply
        return replies

    def execute_all(self) -> list[Any]:
        """The same, with the error of a failed command as its reply.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        with self.pipeline:
            replies = self.pipeline.execute(raise_on_error=False)
        for at, (script, keys, args) in self._scripts.items():
            if isinstance(replies[at], NoScriptError):
                try:
                    replies[at] = script(self._client, keys, args)
                except ResponseError as error:  # raised once the other scripts have run, too
                    replies[at] = error
        return replies
