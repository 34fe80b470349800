"""What GitHub sends to those who want to be told of changes."""

import hashlib
import hmac
import json
from uuid import uuid4


def star(secret: str, *, org: str = "Netflix") -> tuple[bytes, dict[str, str]]:
    """Body and header fields of a delivery that tells of a star, each time another one.

    Args:
        secret: that it is signed with.
        org: whose repository got it.
    """
    body = json.dumps({"repository": {"owner": {"login": org}}}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/json",
        "X-GitHub-Event": "star",
        "X-GitHub-Delivery": str(uuid4()),
        "X-Hub-Signature-256": f"sha256={signature}",
    }
