"""Small objects of the stand-in GitHub: a path, and the body that belongs to it and to no other.

Even numbers are repositories (5 kB), odd numbers are users (1 kB), in GitHub's own form.
"""

import random
from functools import cache, lru_cache

from tests.fakegithub.bodies import public_user
from tests.fakegithub.http_messages import compact_json
from tests.fakegithub.repo_bodies import full_repository
from tests.fakegithub.world import World
from tests.fakegithub.world_factory import new_organisation, new_repo, new_user

PUBLIC_BASE = "https://api.github.com"  # of the URLs in bodies
_REPOSITORY, _USER = "/repos/o/r", "/users/u"
_PLACE = "NAME-OF-THE-OBJECT"


def path_of(number: int) -> str:
    """The path of an object."""
    return f"{_USER if number % 2 else _REPOSITORY}{number}"


@lru_cache(maxsize=65536)
def body_of(path: str) -> bytes | None:
    """The body of a path's response; None if the path names no small object."""
    for prefix, template in ((_REPOSITORY, _repository), (_USER, _user)):
        number = path.removeprefix(prefix)
        if number != path and number.isascii() and number.isdigit():
            return template().replace(_PLACE.encode(), path.rpartition("/")[2].encode())
    return None


@cache
def _repository() -> bytes:
    world, dice = World(), random.Random("repository")  # noqa: S311
    owner = world.add_account(new_organisation("o", dice))
    repository = new_repo(world, owner, _PLACE, 1, dice)
    repository.fork = False
    body = full_repository(PUBLIC_BASE, repository)
    del body["temp_clone_token"]  # which this cache keeps to itself
    return compact_json(body)


@cache
def _user() -> bytes:
    user = new_user(_PLACE, 1, random.Random("user"))  # noqa: S311
    return compact_json(public_user(PUBLIC_BASE, user))
