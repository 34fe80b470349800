"""The arrows between the packages, and the few rules that hold for the whole of the code."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts.embedded_redis import EmbeddedRedis
from shared.settings import Settings, load

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("reader", "refresher", "shared", "scripts", "tests")
OURS = ("reader", "refresher", "shared")


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found["gunicorn.conf"] = ROOT / "gunicorn.conf.py"
    return found


def tree_of(module: str) -> ast.Module:
    """A module's source, parsed: not kept, or each garbage collection would go through all."""
    return ast.parse(modules()[module].read_text())


def imported_names(module: str, node: ast.AST) -> Iterator[str]:
    """What an import statement (or a call of `import_module`) names, absolutely."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        is_package = modules()[module].name == "__init__.py"
        parts = module.split(".")
        package = parts if is_package else parts[:-1]
        base = package[: len(package) - node.level + 1] if node.level else []
        origin = ".".join([*base, node.module] if node.module else base)
        yield origin
        yield from (f"{origin}.{alias.name}" for alias in node.names)
    elif (
        isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in {"import_module", "__import__"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ):
        yield str(node.args[0].value)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement below a node, without its expressions, which are most of a tree."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(node, name, ()):
            yield child
            yield from statements(child)


@cache
def imports(module: str) -> frozenset[str]:
    """Everything that a module imports, anywhere in its text."""
    calls = re.search(r"import_module|__import__", modules()[module].read_text())
    nodes = ast.walk(tree_of(module)) if calls else statements(tree_of(module))
    return frozenset(name for node in nodes for name in imported_names(module, node))


def is_below(name: str, package: str) -> bool:
    """Whether a dotted name is a package or lies in it."""
    return name == package or name.startswith(package + ".")


def offenders(importers: str, forbidden: Iterable[str]) -> list[str]:
    """Which modules of a package import what they must not."""
    return [
        f"{module} imports {name}"
        for module in modules()
        if is_below(module, importers)
        for name in sorted(imports(module))
        if any(is_below(name, package) for package in forbidden)
    ]


def text_constants(module: str) -> list[str]:
    """Every piece of text in a module's source, docstrings and f-strings included."""
    return [
        node.value
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_there_is_something_to_check() -> None:
    assert {"reader.app", "refresher.jobs", "shared.redis.keys", "tests.fakegithub.client"} <= set(
        modules()
    )
    assert "shared.settings" in imports("reader.app")
    assert "refresher.jobs" in imports("refresher.rq_config")


@pytest.mark.parametrize(
    ("importers", "forbidden"),
    [
        ("reader", ["refresher", "scripts", "tests"]),
        ("refresher", ["reader", "scripts", "tests"]),
        ("shared", ["reader", "refresher", "scripts", "tests"]),
        ("tests.fakegithub", OURS),
        ("gunicorn.conf", ["refresher", "scripts", "tests"]),
    ],
    ids=["reader", "refresher", "shared", "fakegithub", "gunicorn"],
)
def test_imports_point_one_way(importers: str, forbidden: list[str]) -> None:
    assert offenders(importers, forbidden) == []


@pytest.mark.parametrize("library", ["requests", "pottery", "urllib3"])
def test_readers_and_what_is_shared_do_not_speak_to_github(library: str) -> None:
    assert offenders("reader", [library]) + offenders("shared", [library]) == []


def test_refreshers_serve_no_web_pages() -> None:
    libraries = ["flask", "werkzeug", "gunicorn"]
    assert offenders("refresher", libraries) + offenders("shared", libraries) == []


def test_nobody_unpickles() -> None:
    pickles = ["pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"]
    assert [offence for package in PACKAGES for offence in offenders(package, pickles)] == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {name for name in imports(module) if name in modules() and name != module}
        for module in modules()
    }
    # Take away, again and again, whatever imports nothing that is left: what stays is a cycle.
    while leaves := {module for module, targets in graph.items() if not targets & graph.keys()}:
        graph = {module: targets for module, targets in graph.items() if module not in leaves}
    assert sorted(graph) == []


def test_one_module_spells_redis_keys() -> None:
    # Followed by a space it is the beginning of a message to a person.
    prefix = re.compile(r"api-read-cache:(?! )")
    holders = [
        module
        for module in modules()
        if not is_below(module, "tests") and any(map(prefix.search, text_constants(module)))
    ]
    assert holders == ["shared.redis.keys"]


def test_a_reader_process_loads_nothing_of_a_refresher(redis_server: EmbeddedRedis) -> None:
    program = (
        "import sys, reader, reader.app, reader.wsgi\n"
        "names = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(names & {'requests', 'pottery', 'refresher', 'flask'}))"
    )
    environment = {**os.environ, "REDIS_URL": redis_server.url}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stdout.strip(), ran.returncode) == ("['flask']", 0), ran.stderr


class TestSettings:
    """Every setting is documented, and nothing is that is none."""

    NAMES = frozenset(name.upper() for name in Settings.model_fields)

    def test_stand_in_the_table_of_the_readme(self) -> None:
        readme = ROOT / "README.md"
        if not readme.exists():
            pytest.skip("there is no README.md yet")
        rows = re.findall(
            r"^\| *`([A-Z][A-Z0-9_]*)` *\|[^|\n]*\|[^|\n]+\|", readme.read_text(), re.MULTILINE
        )
        assert sorted(rows) == sorted(self.NAMES)

    def test_stand_in_the_example_of_an_environment(self) -> None:
        text = (ROOT / ".env.example").read_text()
        names = re.findall(r"^#? ?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE)
        assert sorted(names) == sorted(self.NAMES)

    def test_have_the_defaults_that_the_example_shows(self) -> None:
        text = (ROOT / ".env.example").read_text()
        shown = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.+)$", text, re.MULTILINE))
        # The environment's form of a value is what the settings make of it.
        made = load(**{name.lower(): value for name, value in shown.items()})
        assert made.model_dump(exclude={"web_concurrency"}) == load().model_dump(
            exclude={"web_concurrency"}
        )
