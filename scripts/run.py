"""`make run`: all processes of the Procfile on this machine, with a Redis if none is configured.

The environment takes precedence over `.env`. A process that ends is started again; Ctrl-C stops
all of them.
"""

import argparse
import json
import os
import shlex
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from honcho.environ import expand_processes, parse, parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer

from scripts.embedded_redis import EmbeddedRedis, EmbeddedRedisError
from scripts.running import DATA, ROOT, findable
from shared.errors import SettingsError
from shared.resources.catalogue import Catalogue
from shared.resources.kinds import TRACKED
from shared.resources.views import rankings
from shared.settings import Settings, load

REFRESHERS = 2  # so that a large list never holds up everything else
_KEEP = [sys.executable, "-m", "scripts.kept_running"]
_POLL = 0.2  # seconds
_PATIENCE = 20.0  # seconds between messages that resources are missing


def main() -> int:
    """Run until stopped; the exit status is 0 after Ctrl-C."""
    arguments = _parse_arguments()
    read_dotenv()
    # Python buffers what it prints into a pipe, such as the process manager's.
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    os.environ.setdefault("LOG_FORMAT", "console")
    try:
        settings = load()
        Catalogue.of(settings)
        if settings.redis_url is not None:
            return _run(settings)
        with EmbeddedRedis(arguments.data / urlsplit(settings.github_api_url).netloc) as redis:
            print(f"Redis: {redis.url}, started by this command", flush=True)
            os.environ["REDIS_URL"] = redis.url
            with findable():
                return _run(settings)
    except (SettingsError, EmbeddedRedisError) as error:
        print(f"api-read-cache: {error}", file=sys.stderr)
        return 1


def read_dotenv() -> None:
    """Add the variables of `.env` to the environment, which takes precedence."""
    dotenv = ROOT / ".env"
    if dotenv.exists():
        for name, value in parse(dotenv.read_text()).items():
            os.environ.setdefault(name, value)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder of the embedded Redis's data"
    )
    return parser.parse_args()


def _run(settings: Settings) -> int:
    manager = Manager(_Printer(sys.stdout))
    # Closing the terminal stops all processes, as Ctrl-C does.
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    processes = parse_procfile((ROOT / "Procfile").read_text()).processes
    for process in expand_processes(
        processes, concurrency={"refresher": REFRESHERS}, env=_child_environment(settings)
    ):
        # honcho ends all processes when one has ended.
        command = f"exec {shlex.join(_KEEP)} {process.cmd}"
        manager.add_process(process.name, command, env={**os.environ, **process.env}, cwd=ROOT)
    threading.Thread(target=_say_when_ready, args=[settings], daemon=True).start()
    manager.loop()
    stopped_by_person = manager.returncode in {130, 143}  # SIGINT, SIGTERM
    return 0 if stopped_by_person else int(manager.returncode or 1)


class _Printer(Printer):  # type: ignore[misc]
    """Prints the output of the processes; stops all of them when its own output is closed.

    honcho's own printer raises instead, and leaves the processes behind.
    """

    _is_read = True

    def write(self, message: object) -> None:
        """Print one line of one process."""
        try:
            super().write(message)
        except OSError:
            if self._is_read:
                self._is_read = False
                sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - until the end
                self.output = sys.stdout
                signal.raise_signal(signal.SIGTERM)


def _child_environment(settings: Settings) -> Mapping[str, str]:
    # This environment's programs take precedence, whether it is activated or not.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {"PORT": str(settings.port), "PATH": path}


def _say_when_ready(settings: Settings) -> None:
    base = f"http://127.0.0.1:{settings.port}"
    complain_at = time.monotonic() + _PATIENCE
    while (missing := _missing(base)) is None or missing:
        if time.monotonic() > complain_at and missing:
            print(f"\nStill waiting for GitHub's {', '.join(missing)}\n", flush=True)
            complain_at = time.monotonic() + _PATIENCE
        time.sleep(_POLL)
    org = settings.orgs[0]
    paths = [kind.template.replace("{org}", org) for kind in TRACKED if kind.is_of_an_organisation]
    paths += [f"/view/top/10/{next(iter(rankings()))}", "/healthcheck"]
    curls = "".join(f"  curl -s {base}{path}\n" for path in paths)
    print(f"\nReady. Try:\n{curls}  {base}/status in a browser\n", flush=True)


def _missing(base: str) -> list[str] | None:
    """The tracked resources that cannot be served yet; None while no reader responds."""
    try:
        with urllib.request.urlopen(f"{base}/healthcheck", timeout=5):  # noqa: S310 # nosec B310
            return []
    except urllib.error.HTTPError as error:
        with error:
            found: list[str] = json.loads(error.read())["missing"]
            return found
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    sys.exit(main())
