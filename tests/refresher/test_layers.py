"""The refresher's parts import only lower parts, and are given clocks, randomness and processes."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# From low to high; parts of one row do not import each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("github", "backoff"),
    ("content",),
    ("storage",),
    ("visibility",),
    ("lock", "reporting"),
    ("refresh",),
    ("jobs",),
    ("job_allow_list", "worker", "scheduler"),
    ("rq_config",),
)
# These modules start processes and jobs: they hand the clock and the rest to all others.
ROOTS = frozenset({"jobs", "worker", "scheduler"})
HANDED_IN = frozenset({"time", "random", "uuid", "secrets", "shared.clock.SYSTEM", "os.getppid"})
MAX_ARGUMENTS = 7
# Rows of tables and plain records.
RECORDS = frozenset({"Content", "GitHubResponse", "Page"})


@cache
def modules() -> Mapping[str, ast.Module]:
    """Every module of the refresher by its name below the package, parsed."""
    found = {}
    for path in sorted((ROOT / "refresher").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "refresher").with_suffix("").parts)
        found[name.removesuffix("__init__").rstrip(".")] = ast.parse(path.read_text())
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
    """The package, or the module right below the refresher, that a module belongs to."""
    return module.split(".", maxsplit=1)[0]


def imported_parts(tree: ast.Module) -> Iterator[str]:
    """The parts of the refresher that a module imports."""
    for name in names_used(tree):
        if name.startswith("refresher."):
            yield part_of(name.removeprefix("refresher."))


def test_each_package_says_what_its_modules_are_for() -> None:
    unnamed = [
        name
        for name in modules()
        if name and f"`{name.rpartition('.')[2]}`" not in (docstring_of_package(name) or "")
    ]
    assert unnamed == []


def docstring_of_package(module: str) -> str | None:
    """The docstring of the package right above a module."""
    return ast.get_docstring(modules()[module.rpartition(".")[0]])


def test_each_part_imports_lower_ones_only() -> None:
    level = {part: at for at, parts in enumerate(LAYERS) for part in parts}
    assert {part_of(module) for module in modules()} - {""} == set(level)
    upward = [
        f"{module} imports {part}"
        for module, tree in modules().items()
        for part in imported_parts(tree)
        if part != part_of(module) and level[part] >= level[part_of(module)]
    ]
    assert upward == []


def test_credentials_need_two_modules_of_the_client_s_package_only() -> None:
    needed = {
        name
        for module, tree in modules().items()
        if module.startswith("github.auth")
        for name in names_used(tree)
        if name.startswith("refresher.github.") and not name.startswith("refresher.github.auth")
    }
    used = {name for name in needed if name.removeprefix("refresher.") in modules()}
    assert used == {"refresher.github.body", "refresher.github.request_headers"}


@pytest.mark.parametrize("name", sorted(set(modules()) - ROOTS))
def test_a_module_is_given_time_and_randomness(name: str) -> None:
    assert HANDED_IN.intersection(names_used(modules()[name])) == set()


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
