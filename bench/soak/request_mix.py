"""The requests of well-behaved clients, and their shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random

from bench.workloads import ALWAYS, LIST, SMALL, VIEW
from tests.http_client import request

HELD, HEALTH, COLD = "held", "health", "cold"


@dataclass(frozen=True)
class Kind:
    """A kind of request.

    Args:
        name: in tables.
        group: `HELD`: always in memory; `HEALTH`: health checks of load balancers; `COLD`: a name
            that was not requested before, which waits for GitHub, and may be a 503 while GitHub is
            down.
        path: with its query; `{}` stands for a different number in each cold request.
        weight: share of all requests.
        fields: further header fields.
    """

    name: str
    group: str
    path: str
    weight: float
    fields: Mapping[str, str] = field(default_factory=dict)

    def request(self, port: int, number: int) -> bytes:
        """The bytes of a request; `number` takes the place of `{}` in the path."""
        fields = {"Host": f"127.0.0.1:{port}", **ALWAYS, **self.fields}
        return request(self.path.format(number), **fields)


def kinds(etag: str) -> tuple[Kind, ...]:
    """All kinds; `etag` is the current one of `SMALL`, with its quotation marks."""
    return (
        Kind("small", HELD, SMALL, 0.40),
        Kind("304", HELD, SMALL, 0.20, {"If-None-Match": etag}),
        Kind("view", HELD, VIEW, 0.15),
        Kind("page", HELD, f"{LIST}?page=2&per_page=30", 0.0975),
        Kind("list", HELD, LIST, 0.08, {"Accept-Encoding": "gzip"}),
        Kind("/healthcheck", HEALTH, "/healthcheck", 0.035),
        Kind("/livez", HEALTH, "/livez", 0.035),
        Kind("cold", COLD, "/users/Netflix?cold={}", 0.0025),
    )


class Draw:
    """Draws kinds at random, by weight."""

    def __init__(self, among: Sequence[Kind], random: Random) -> None:
        self._random = random
        self._among = range(len(among))
        self._weights = list(accumulate(kind.weight for kind in among))

    def next(self) -> int:
        """The index of a kind."""
        return self._random.choices(self._among, cum_weights=self._weights)[0]
