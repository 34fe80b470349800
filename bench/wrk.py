"""wrk, the load generator of the throughput measurement: script, command and result."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.cores import on
from bench.errors import BenchError

_TIMEOUT = 30  # seconds; a slow server is not a wrong one
_MARK = "RESULT "

# wrk's own summary is rounded.
_REPORT = f"""
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\\n{_MARK}{{"requests": %d, "microseconds": %d, "bytes": %d, "errors": %d}}\\n',
    summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""

# To format a whole request takes wrk longer than a quick server takes to respond.
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
    """The result of one run of wrk.

    Args:
        requests: number of responses.
        seconds: duration.
        transferred: bytes of the responses, heads included.
        errors: failed connections, reads and writes, timeouts, statuses above 399.
    """

    requests: int
    seconds: float
    transferred: int
    errors: int


@dataclass(frozen=True)
class Wrk:
    """wrk with one thread on one core.

    Args:
        program: path.
        folder: for its scripts.
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
        """Request a URL as often as the server can respond.

        Args:
            headers: fields of every request.
            seconds: duration, rounded to at least one whole second, as wrk needs.
            varied: whether to add a different header field to each request.

        Raises:
            BenchError: wrk failed, or a request did.
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
            raise BenchError(f"wrk {url}: {result.errors} errors, {result.requests} responses")
        return result


def parse(output: str) -> Run | None:
    """The result in wrk's output; None if the output contains no result."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            found = json.loads(line.removeprefix(_MARK))
            seconds = found["microseconds"] / 1e6
            return Run(found["requests"], seconds, found["bytes"], found["errors"])
    return None
