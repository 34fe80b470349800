"""`python -m tests.fakegithub`: serve a stand-in GitHub until interrupted."""

import argparse
import json
import os
import signal
import sys
import threading
from types import FrameType

from tests.fakegithub.config import Config
from tests.fakegithub.github import GitHub
from tests.fakegithub.server import Server
from tests.fakegithub.world_factory import WorldOptions, create_world


def arguments() -> argparse.ArgumentParser:
    """The command line; its defaults are GitHub's own limits and an organisation named Netflix."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakegithub", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--org", action="append", help="an organisation's login; repeatable (Netflix)")
    add("--repos", type=int, default=250, help="public repositories of each organisation")
    add("--members", type=int, default=130, help="members of each organisation")
    add("--private", type=int, default=0, help="private repositories of each, beside the public")
    add("--internal", type=int, default=0, help="internal repositories of each, in addition")
    add("--concealed", type=int, default=0, help="members of each whose membership is concealed")
    add("--seed", type=int, default=1, help="another seed makes another world")
    add("--churn", type=float, default=0, help="seconds between stars; 0 is none")
    add("--public-base", default="https://api.github.com", help="of URLs in bodies; self: its own")
    add("--prefix", default="", help="before every path, such as /api/v3")
    add("--enterprise", metavar="VERSION", help="a GitHub Enterprise Server, such as 3.19.0")
    add("--anonymous-limit", type=int, default=60, help="requests a window without a token")
    add("--token-limit", type=int, default=5000, help="requests a window with a token")
    add("--window", type=float, default=3600, help="a window's seconds")
    add("--max-concurrent", type=int, default=100, help="requests at a time of one credential")
    add("--token", action="append", help="a valid token; repeatable (any is)")
    add("--members-redirect", action="store_true", help="302 from members to public_members")
    add("--config", type=json.loads, default={}, help="further rules as JSON; see config.py")
    add("--exit-with-stdin", action="store_true", help="end when standard input does")
    return parser


def main() -> None:
    """Serve until SIGTERM, SIGINT, or (with --exit-with-stdin) the end of standard input."""
    options = arguments().parse_args()
    if options.enterprise:
        options.prefix, options.public_base = "/api/v3", "self"
    config = Config(
        anonymous_limit=options.anonymous_limit,
        token_limit=options.token_limit,
        window_seconds=options.window,
        max_concurrent=options.max_concurrent,
        tokens=tuple(options.token) if options.token else None,
        members_redirect=options.members_redirect,
        enterprise_version=options.enterprise or "",
        rate_limiting=not options.enterprise,
    ).changed(options.config)
    orgs = tuple(options.org or ["Netflix"])
    world = create_world(
        WorldOptions(
            orgs,
            options.repos,
            options.members,
            options.private,
            options.seed,
            options.internal,
            options.concealed,
        )
    )
    github = GitHub(world, config, options.public_base, options.prefix)
    server = Server(github, host=options.host, port=options.port)
    done = threading.Event()

    def finish(_number: int, _frame: FrameType | None) -> None:
        done.set()

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    if options.exit_with_stdin:
        threading.Thread(target=wait_for_end_of_input, args=(done,), daemon=True).start()
    server.start(churn=options.churn)
    print(f"listening on {server.url}", flush=True)
    done.wait()
    server.stop()


def wait_for_end_of_input(done: threading.Event) -> None:
    """Set `done` when the process that started this one has ended."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    done.set()


if __name__ == "__main__":
    main()
