"""GitHub's content type and error body, which readers send and refreshers store.

https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

import json

JSON = "application/json; charset=utf-8"
DOCUMENTATION = "https://docs.github.com/rest"


def github_error(
    status: int, message: str, documentation_url: str = DOCUMENTATION
) -> dict[str, str]:
    """The JSON body that GitHub sends with an error status."""
    return {
        "message": message,
        "documentation_url": documentation_url,
        "status": str(status),
    }


# The body of each 404: GitHub's own names the documentation of the operation, and so would
# distinguish a private repository from one that does not exist.
NOT_FOUND_BODY = json.dumps(github_error(404, "Not Found"), separators=(",", ":")).encode()
