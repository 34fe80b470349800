"""The mount `/api/v3`, below which GitHub Enterprise Server has its REST API; pure.

Clients that are told of an enterprise server add it to every path themselves: go-github, gh,
github3.py and others. Everything that is served under `/` is also served below it.

https://docs.github.com/enterprise-server/rest/quickstart
"""

MOUNT = "/api/v3"


def split_mount(target: str) -> tuple[str, str]:
    """The mount that a request target begins with, and the target below it.

    Only this spelling is the mount, and only once: `/%61pi/v3` and `/API/v3` name nothing.

    Args:
        target: path and query as the client sent them.

    Returns:
        `MOUNT` or an empty text, and the rest, which begins with `/` behind a mount.
    """
    if not target.startswith(MOUNT):
        return "", target
    rest = target[len(MOUNT) :]
    if rest[:1] == "/":
        return MOUNT, rest
    return (MOUNT, f"/{rest}") if rest[:1] in {"", "?"} else ("", target)
