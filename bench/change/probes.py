"""What processes use: CPU, memory, bytes that Redis sent them."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil
from redis import Redis

from bench.errors import BenchError

_PEAK = "5"  # written to clear_refs, it sets the peak of a process's memory to its present memory


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process so far, its ended threads included; see clock_getcpuclockid(3).

    /proc/[pid]/stat has the same in steps of 10 ms, which is as much as a small change costs.
    """
    return time.clock_gettime((~pid << 3) | 2)


def forget_peak(pid: int) -> None:
    """Let the peak of a process's memory begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text(_PEAK)


def memory(pid: int) -> tuple[int, int]:
    """Resident bytes of a process: now, and at most since `forget_peak`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return _kilobytes("VmRSS", status), _kilobytes("VmHWM", status)


def proportional(pids: Sequence[int]) -> int:
    """Bytes of memory of several processes; what several share is counted once (PSS)."""
    rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    return sum(_kilobytes("Pss", rollup) for rollup in rollups)


def sent_by_redis(redis: Redis, pids: Sequence[int]) -> Counter[int]:
    """Bytes that Redis has sent on the open connections of each process.

    Raises:
        BenchError: this Redis does not count them by connection.
    """
    port = int(redis.connection_pool.connection_kwargs["port"])
    owners = {
        connection.laddr.port: pid
        for pid in pids
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.raddr and connection.raddr.port == port
    }
    sent = Counter(dict.fromkeys(pids, 0))
    for client in redis.client_list():
        owner = owners.get(int(client["addr"].rpartition(":")[2]))
        if "tot-net-out" not in client:
            raise BenchError("this Redis does not count the bytes of a connection; Valkey 9 does")
        if owner is not None:
            sent[owner] += int(client["tot-net-out"])
    return sent


def _kilobytes(name: str, text: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    if found is None:
        raise BenchError(f"the kernel does not tell {name}")
    return 1024 * int(found[1])
