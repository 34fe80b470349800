"""wrk, the load generator of the throughput measurement: its script, its command, its result."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.cores import on
from bench.errors import BenchError

_TIMEOUT = 30  # seconds; a slow server is not a wrong one
_MARK = "RESULT "

# wrk's own summary is rounded and for people.
_REPORT = f"""
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{_MARK}{{"requests": %d, "microseconds": %d, "bytes": %d, "errors": %d}}\\n',
    summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""

# Formatting a whole request anew would take wrk longer than a quick server takes to answer it.
_VARY = """
local head, tail

init = function(args)
  wrk.headers["X-Request-Id"] = "@"
  local text = wrk.format()
  local at = text:find("X-Request-Id: @", 1, true) + #"X-Request-Id: "
  head, tail = text:sub(1, at - 1), text:sub(at + 1)
  math.randomseed(os.time())
end

request = function()
  return head .. string.format("%08x%08x", math.random(0, 0x7fffffff), math.random(0, 0x7fffffff))
    .. tail
end
"""


@dataclass(frozen=True)
class Run:
    """What one run of wrk did.

    Args:
        requests: answered in all.
        seconds: that it took.
        transferred: bytes of the answers, heads included.
        errors: failed connections, reads and writes, timeouts, statuses above 399.
    """

    requests: int
    seconds: float
    transferred: int
    errors: int


@dataclass(frozen=True)
class Wrk:
    """A wrk and the core that it runs on; one thread, since one core.

    Args:
        program: where it is.
        folder: where its scripts are kept.
        core: to run on.
        connections: kept open, each with one request at a time.
    """

    program: Path
    folder: Path
    core: int
    connections: int = 64

    def run(
        self, url: str, headers: Mapping[str, str], *, seconds: float, varied: bool = False
    ) -> Run:
        """Ask for a URL as often as the server can answer.

        Args:
            url: to ask for.
            headers: fields of every request.
            seconds: to go on, rounded up to whole ones as wrk wants them.
            varied: give each request a header field of its own besides.

        Raises:
            BenchError: wrk failed, or not every answer was one.
        """
        script = self.folder / ("varied.lua" if varied else "same.lua")
        script.write_text(_REPORT + (_VARY if varied else ""))
        fields = [part for pair in headers.items() for part in ("-H", ": ".join(pair))]
        whole = max(1, round(seconds))
        command = [
            *(str(self.program), "-t", "1", "-c", str(self.connections), "-d", f"{whole}s"),
            *("--timeout", f"{_TIMEOUT}s", "-s", str(script), *fields, url),
        ]
        with on({self.core}):
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=whole + 60, check=False
            )
        result = parse(ran.stdout)
        if result is None:
            raise BenchError(f"wrk {url}: {(ran.stderr or ran.stdout).strip() or 'no result'}")
        if result.errors or not result.requests:
            raise BenchError(f"wrk {url}: {result.errors} errors, {result.requests} answers")
        return result


def parse(output: str) -> Run | None:
    """The result in what wrk printed; None where there is none."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            found = json.loads(line.removeprefix(_MARK))
            seconds = found["microseconds"] / 1e6
            return Run(found["requests"], seconds, found["bytes"], found["errors"])
    return None
