"""GitHub's content type and error body, which readers send and refreshers store.

https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

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
