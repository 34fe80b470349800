"""Webhook deliveries as GitHub sends them."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4


def star(
    secret: str, *, org: str = "Netflix", repo: int | None = None
) -> tuple[bytes, dict[str, str]]:
    """Body and header fields of a delivery about a star; each has an id of its own.

    Args:
        secret: signs the delivery.
        org: owner of the repository.
        repo: its id; None leaves it out.
    """
    repository = {"owner": {"login": org}} | ({} if repo is None else {"id": repo})
    return delivery(secret, "star", {"repository": repository})


def delivery(secret: str, event: str, payload: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Body and header fields of a delivery; each has an id of its own.

    Args:
        secret: signs the delivery.
        event: its name.
        payload: its body.
    """
    body = json.dumps(payload).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": f"sha256={signature}",
    }
