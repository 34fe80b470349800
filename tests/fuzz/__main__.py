"""`make fuzz`: each target for some time; what is found stays in `.data/fuzz`.

Guided by coverage where Atheris is installed, else by Hypothesis alone.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from tests.fuzz.strategies import mutated
from tests.fuzz.targets import SEEDS, TARGETS

FOLDER = Path(__file__).resolve().parents[2] / ".data" / "fuzz"
_BATCH = 2000  # examples of Hypothesis between looks at the clock


def guided(name: str, seconds: int) -> tuple[int, bool]:
    """How many inputs LibFuzzer tried, and whether all went well."""
    corpus = FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=600", "-timeout=10", "-print_final_stats=1"]
    found = f"-artifact_prefix={FOLDER}/{name}-"
    command = [sys.executable, "-m", "tests.fuzz.guided", name, *options, found, str(corpus)]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executed = re.search(r"number_of_executed_units: *(\d+)", ran.stderr)
    if ran.returncode:
        print(ran.stdout[-2000:], ran.stderr[-3000:])
    return int(executed[1]) if executed else 0, ran.returncode == 0


def unguided(name: str, seconds: int) -> tuple[int, bool]:
    """The same by Hypothesis, which raises what it finds, made small."""
    count, deadline = 0, time.monotonic() + seconds
    relaxed = settings(
        max_examples=_BATCH, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    while time.monotonic() < deadline:
        relaxed(given(mutated(name))(TARGETS[name]))()
        count += _BATCH
    return count, True


def main() -> int:
    """Fuzz what is named, or everything; gives the exit status."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    has_atheris = importlib.util.find_spec("atheris") is not None
    print("guided by coverage (Atheris)" if has_atheris else "by Hypothesis: Atheris is not here")
    failed = 0
    for name in options.targets or TARGETS:
        count, is_well = (guided if has_atheris else unguided)(name, options.seconds)
        failed += not is_well
        print(f"{name:12} {count:>10,} inputs  {'well' if is_well else 'FAILED'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
