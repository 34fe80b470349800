"""`make cache ARGS=...`: the command line, on the Redis of `.env` or of a running `make run`."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from scripts.run import read_dotenv
from scripts.running import ROOT, environment
from shared.settings import REFRESHERS_ONLY


def main() -> NoReturn:
    """Replace this process by `flask --app reader cache ...`; exit with 1 if no Redis is known."""
    read_dotenv()
    for name in REFRESHERS_ONLY:  # not for readers, although `.env` may hold them for refreshers
        os.environ.pop(name, None)
    if not os.environ.get("REDIS_URL") and "--help" not in sys.argv:
        known = environment()
        if known is None:
            reason = (
                "REDIS_URL is not set, and no `make run` or `make demo` is running in this folder"
            )
            sys.exit(f"api-read-cache: {reason}")
        os.environ.update(known)
    flask = str(Path(sys.executable).with_name("flask"))
    os.chdir(ROOT)
    os.execv(flask, [flask, "--app", "reader", "cache", *sys.argv[1:]])  # noqa: S606 # nosec B606


if __name__ == "__main__":
    main()
