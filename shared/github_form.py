"""The forms of GitHub's that readers answer in and refreshers store.

https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api
"""

JSON = "application/json; charset=utf-8"


def github_error(status: int, message: str) -> dict[str, str]:
    """What GitHub sends, as JSON, with an error status."""
    return {
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": str(status),
    }
