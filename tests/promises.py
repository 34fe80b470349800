"""Which tests and chaos checks try which promise of `docs/promises.md`: by place.

    python -m tests.promises                    # prints the matrix
    pytest $(python -m tests.promises 7)        # runs what tries promise 7

`promises.txt` has the places: modules, classes and tests, and checks of a chaos run by their names.
"""

import ast
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.categories import starts_processes

ROOT = Path(__file__).resolve().parents[1]
PAGE, PLACES = ROOT / "docs" / "promises.md", ROOT / "tests" / "promises.txt"
CHAOS = "chaos: "


@dataclass(frozen=True)
class Promise:
    """A promise as the page has it.

    Args:
        number: which is never given to another promise.
        text: the promise itself.
        parts: what follows `**Bound:**` and the like, by that word.
    """

    number: int
    text: str
    parts: dict[str, str]


def promises() -> list[Promise]:
    """The promises of the page, in its order."""
    sections = re.split(r"^### (\d+)\. ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return [_promise(int(n), body) for n, body in zip(sections[::2], sections[1::2], strict=True)]


def _promise(number: int, section: str) -> Promise:
    title, _, rest = section.partition("\n")
    rest = rest.partition("\n## ")[0]
    found = re.findall(r"^- \*\*([\w ]+):\*\* (.+(?:\n  .+)*)$", rest, re.MULTILINE)
    return Promise(number, title, {word: " ".join(text.split()) for word, text in found})


@cache
def places() -> dict[int, tuple[str, ...]]:
    """The places that try each promise, by its number."""
    sections = re.split(r"^(\d+):\n", PLACES.read_text(), flags=re.MULTILINE)[1:]
    pairs = zip(sections[::2], sections[1::2], strict=True)
    return {
        int(number): tuple(re.findall(r"^  (\S.*)$", text, re.MULTILINE)) for number, text in pairs
    }


def tried_by(number: int) -> str:
    """What the page says of the places of a promise: modules, and checks of `make chaos`."""
    tries = places()[number]
    modules = dict.fromkeys(place.partition("::")[0] for place in tries if not is_chaos(place))
    checks = [f'"{place.removeprefix(CHAOS)}"' for place in tries if is_chaos(place)]
    named = [f"`{module}`" for module in modules]
    if checks:
        named.append(f"[chaos](chaos.md) {', '.join(checks)}")
    return ", ".join(named)


def is_chaos(place: str) -> bool:
    """Whether a place is a check of a chaos run."""
    return place.startswith(CHAOS)


@cache
def chaos_checks() -> frozenset[str]:
    """The names of the checks of a chaos run."""
    source = (ROOT / "tests" / "chaos" / "run.py").read_text()
    return frozenset(re.findall(r'"([^"]+)": checkers\.', source))


def exists(place: str) -> bool:
    """Whether there is such a check, module, class or test."""
    if is_chaos(place):
        return place.removeprefix(CHAOS) in chaos_checks()
    path, *names = place.split("::")
    if not (ROOT / path).is_file():
        return False
    node: ast.Module | ast.ClassDef = _parsed(path)
    for name in names:
        found = [one for one in node.body if getattr(one, "name", None) == name]
        if not found:
            return False
        (one,) = found
        if not isinstance(one, ast.ClassDef):
            return name == names[-1] and name.startswith("test_")
        node = one
    return True


@cache
def _parsed(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def is_in_a_fleet(place: str) -> bool:
    """Whether a place starts processes."""
    return is_chaos(place) or starts_processes(place)


def matrix() -> str:
    """A line for each promise: how many places try it, in one process, in a fleet, in chaos."""
    lines = [f"{'':3} {'in a process':>12} {'in a fleet':>10} {'in chaos':>8}  promise"]
    for promise in promises():
        tries = places().get(promise.number, ())
        chaos = sum(map(is_chaos, tries))
        fleet = sum(map(is_in_a_fleet, tries)) - chaos
        inside = len(tries) - chaos - fleet
        counts = (f"{inside or '':>12}", f"{fleet or '':>10}", f"{chaos or '':>8}")
        lines.append(f"{promise.number:>3} {' '.join(counts)}  {promise.text}")
    return "\n".join(lines)


def main() -> None:
    """Print the matrix, or the places of the promises that are named."""
    for word in sys.argv[1:]:
        print(*(place for place in places()[int(word)] if not is_chaos(place)), sep="\n")
    if not sys.argv[1:]:
        print(matrix())


if __name__ == "__main__":
    main()
