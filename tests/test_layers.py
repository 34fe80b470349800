"""The packages import one way, and their parts are small, and given clocks and randomness."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("reader", "refresher", "shared")
# From low to high; parts of one row do not import each other.
LAYERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "refresher": (
        ("errors", "party_limits"),
        ("github", "backoff", "spacing", "lease"),
        ("content",),
        ("storage",),
        ("visibility", "second_look", "page_look", "look_again", "drift"),
        ("lock", "reporting"),
        ("context", "dispatch", "deliveries"),
        ("fetch",),
        ("refresh", "process"),
        ("jobs",),
        ("job_allow_list", "worker", "scheduler"),
        ("rq_config",),
    ),
}
# These modules start processes, jobs and commands: they hand the clock and the rest to all others.
COMPOSITION_ROOTS = frozenset(
    {
        *("refresher.process", "refresher.worker", "refresher.scheduler"),
        *("reader.process", "reader.cli.context", "reader.front.worker", "shared.clock"),
    }
)
HANDED_IN = frozenset(
    {
        *("time.time", "time.monotonic", "time.sleep", "random", "shared.clock.SYSTEM"),
        "shared.clock.FLEET",
        *("os.getppid", "os.getpid", "socket.gethostname"),
    }
)
MAX_LINES = 50  # of a function
MAX_ARGUMENTS = 7
# Rows of tables and plain records.
RECORDS = frozenset(
    {
        *("Content", "GitHubResponse", "Page", "Metadata", "Kind", "Operation", "Settings"),
        *("CredentialBudget", "RefreshReport", "ReaderReport", "WorkerView", "TrackedView"),
        *("Fleet", "PageInput", "Components", "RefreshContext", "Question", "EntryState"),
    }
)


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of the packages by its dotted name, parsed."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def names_used(tree: ast.Module) -> Iterator[str]:
    """What a module imports, and the attributes that it reads of modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def part_of(module: str) -> str:
    """The package, or the module, right below one of the three that a module belongs to."""
    return ".".join(module.split(".")[:2])


@cache
def imported_parts() -> Mapping[str, frozenset[str]]:
    """The parts that each part imports."""
    found: dict[str, set[str]] = {part_of(module): set() for module in modules()}
    for module, tree in modules().items():
        imported = {part_of(name) for name in names_used(tree) if name in modules()}
        found[part_of(module)] |= imported - {part_of(module)}
    return {part: frozenset(others) for part, others in found.items()}


def test_no_part_imports_itself_by_way_of_others() -> None:
    graph = dict(imported_parts())
    # Take away, again and again, what imports nothing that is left: a cycle stays.
    while leaves := {part for part, others in graph.items() if not others & graph.keys()}:
        graph = {part: others for part, others in graph.items() if part not in leaves}
    assert {part: sorted(others & graph.keys()) for part, others in graph.items()} == {}


@pytest.mark.parametrize("package", LAYERS)
def test_each_part_imports_lower_ones_only(package: str) -> None:
    level = {f"{package}.{part}": at for at, parts in enumerate(LAYERS[package]) for part in parts}
    parts = {part for part in imported_parts() if part.startswith(f"{package}.")}
    assert parts == set(level)
    upward = [
        f"{part} imports {other}"
        for part in parts
        for other in imported_parts()[part] & level.keys()
        if level[other] >= level[part]
    ]
    assert upward == []


def test_credentials_need_three_modules_of_the_client_s_package_only() -> None:
    below, above = "refresher.github.auth", "refresher.github."
    needed = {
        name
        for module, tree in modules().items()
        if module.startswith(below)
        for name in names_used(tree)
        if name.startswith(above) and not name.startswith(below) and name in modules()
    }
    needing = {name.removeprefix(above) for name in needed}
    assert needing == {"body", "request_headers", "transport"}


def test_modules_are_given_time_and_randomness() -> None:
    taken = {name: HANDED_IN.intersection(names_used(tree)) for name, tree in modules().items()}
    assert {name for name, found in taken.items() if found} <= COMPOSITION_ROOTS, taken


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_is_longer_than_a_screen(package: str) -> None:
    lengths = {
        f"{module}.{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module, tree in modules().items()
        if module.startswith(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def arguments_of(node: ast.ClassDef) -> int:
    """How many arguments a class takes: those of `__init__`, or a dataclass's fields."""
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return len(member.args.args) - 1 + len(member.args.kwonlyargs)
    if any("dataclass" in ast.unparse(one) for one in node.decorator_list):
        return sum(isinstance(member, ast.AnnAssign) for member in node.body)
    return 0


def test_no_class_takes_more_than_seven_arguments() -> None:
    counts = {
        node.name: arguments_of(node)
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    assert {name for name, count in counts.items() if count > MAX_ARGUMENTS} <= RECORDS
