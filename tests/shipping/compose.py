"""The services of `compose.yaml`."""

from functools import cache
from typing import Any

import yaml

from tests.shipping.environment import ROOT

SERVICES = ["redis", "reader", "refresher", "scheduler", "haproxy"]


@cache
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return read


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found
