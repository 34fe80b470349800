"""`python -m tests.chaos --seed N --minutes M`: exit status 1 when something did not hold."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.report import table
from tests.chaos.run import run
from tests.chaos.schedule import plan, rows


def main() -> int:
    """Do a run, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the schedule; one by chance without it")
    parser.add_argument("--minutes", type=float, default=5, help="that the schedule takes")
    parser.add_argument("--plan", action="store_true", help="only say what would be done")
    asked = parser.parse_args()
    seed = random.randrange(10**6) if asked.seed is None else asked.seed
    episodes = plan(seed, seconds=60 * asked.minutes)
    print(f"python -m tests.chaos --seed {seed} --minutes {asked.minutes:g}", flush=True)
    if asked.plan:
        print("\n".join(rows(episodes)))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    result = run(episodes, folder, seed=seed, say=lambda line: print(line, flush=True))
    print(table(result))
    if any(result.violations.values()):
        print(
            f"\nReplay: make chaos ARGS='--seed {seed} --minutes {asked.minutes:g}'; logs: {folder}"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
